"""Narrow terminals, `--quiet`, shell completion, the doctor."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest
from typer.testing import CliRunner

from safer_gym.conformance.cli import doctor
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.cli.output import new_table, print_table, show, stderr

ROWS = [{"task": "ball-circle", "horizon": 200, "policies": "cvpo, safer"}]
CART = ["evaluate", "SELF:still", "--task", "cart-pole", "--attacks", "uniform"]


@pytest.mark.parametrize("width", [12, 20, 40, 80])
def test_no_width_cuts_a_number(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table("Tasks", ROWS)
    shown = capsys.readouterr().out
    assert "200" in shown
    assert "…" not in shown
    assert ("horizon: 200" in shown) == (width < 40)


@pytest.mark.parametrize("width", [25, 45, 80])
def test_no_width_drops_a_column(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Rich measures words, and a column may hold several that must not part."""
    monkeypatch.setenv("COLUMNS", str(width))
    table = new_table("Costs")
    for column in ("attack", "reward", "cost", "n"):
        table.add_column(column, no_wrap=True)
    table.add_row("bang_bang", "230.1 ± 183.9", "0.00 ± 0.00", "77")
    show(table)
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("230.1 ± 183.9", "0.00 ± 0.00", "77", "bang_bang"))


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_leaves_results(quiet: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_still.py").write_text("def still(obs):\n    return [0.0]\n")
    monkeypatch.chdir(tmp_path)
    words = ["own_still:still" if word == "SELF:still" else word for word in CART]
    words += ["--episodes", "1", "--eps", "0.1", "--max-steps", "3"]
    done = CliRunner().invoke(app, [*words, *(["--quiet"] if quiet else [])])
    assert done.exit_code == 0, done.output
    assert "uniform" in done.stdout
    assert ("own_still:still:" in done.stderr) is not quiet
    refused = CliRunner().invoke(app, [*words, "--quiet", "--max-cost", "-1"])
    assert refused.exit_code == 1
    assert "refused: mean cost" in refused.stderr
    stderr.quiet = False


def test_every_command_has_quiet() -> None:
    for command in app.registered_commands:
        shown = CliRunner().invoke(app, [str(command.callback.__name__), "--help"])  # type: ignore[union-attr]
        assert "--quiet" in shown.output


def test_the_shell_completes() -> None:
    asked = {"_SAFER_GYM_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    done = CliRunner().invoke(
        app, [], prog_name="safer-gym", env={**asked, "COMP_WORDS": "safer-gym cer"}
    )
    assert done.stdout.split() == ["certify"]


def test_the_doctor_finds_this_installation_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "AREAS", ("statistics",))  # the fastest
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["healthy"]
    assert {"torch", "gymnasium"} <= {package["name"] for package in found["packages"]}
    assert all(test["passed"] for test in found["self_test"])


def test_the_doctor_sees_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name in ("jinja2", "onnxruntime"):
            raise PackageNotFoundError(name)
        return "0.0.1" if name == "rich" else "999" if name == "safer-gym" else "1000000"

    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "self_test", lambda: [("nothing", True, 0.0)])
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "does not fit" in done.stdout
    assert "extra onnx: pip install 'safer-gym[onnx]'" in done.stdout
    assert "not healthy" in done.stdout
