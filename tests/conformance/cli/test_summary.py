"""A certificate on a terminal: whole at 80 columns, honest in rounding, and names are no markup."""

from __future__ import annotations

import pytest
from sample_certificates import sample

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.cli.output import print_table
from safer_gym.conformance.cli.summary import print_summary


def told(data: dict, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    print_summary(Certificate.from_json(data))
    return capsys.readouterr().out


def test_it_is_whole_at_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = told(sample(), capsys, monkeypatch)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    for words in ("the deterministic policy", "refused", "nothing", "FAIL", "PASS", "not covered"):
        assert words in text


def test_a_bound_is_not_rounded_to_its_flattering_side(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sample()
    data["rows"][0]["rate"]["lower"]["value"] = 0.1239
    data["rows"][0]["rate"]["upper_attacks"]["value"] = 0.1231
    cells = [line.split() for line in told(data, capsys, monkeypatch).splitlines()]
    (row,) = (line for line in cells if line[:2] == ["0.001", "12.3"])
    assert row[4:6] == ["12.4", "%"]


def test_names_are_no_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sample()
    data["policy"]["source"] = "[red]model[/red].zip"
    data["flags"][0]["message"] = "[/] broken"
    text = told(data, capsys, monkeypatch)
    assert "[red]model[/red].zip" in " ".join(text.split())
    assert "[/] broken" in text
    print_table("[b]title", [{"name": "[/x]\x1b[2J\x00"}])
    assert "[b]title" in (out := capsys.readouterr().out)
    assert "[/x]?[2J?" in out
