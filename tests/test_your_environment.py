"""The tutorials, each from an empty folder, command by command."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_layout import ROOT
from tutorials import commands, files, folder_of, run


@pytest.mark.slow
def test_every_command_of_the_tutorial_works(tmp_path: Path) -> None:
    page = "your-environment.md"
    assert {"hall.py", "attack.py", "test_hall.py"} == set(files(page))
    folder = folder_of(page, tmp_path)
    said = dict(zip(commands(page), run(page, folder), strict=True))
    replay = next(command for command in said if " replay " in command)
    assert "recorded" in said[replay]
    shown = (folder / "runs" / "certificate" / "certificate.html").read_text()
    assert f"<code>{replay}</code>" in shown
    assert "natural" in said[commands(page)[0]]


@pytest.mark.slow
def test_observations_and_memory_from_an_empty_folder(tmp_path: Path) -> None:
    pytest.importorskip("sb3_contrib")
    page = "observations.md"
    _, dict_, judged, again, lstm, judged_lstm = run(page, folder_of(page, tmp_path))
    assert "shown as it is: 'tide' (Discrete(2))" in dict_
    assert "eps = 1 is 3 of 255 pixel steps of 'chart'" in judged
    assert "Dict observations" in (tmp_path / "runs" / "ship" / "certificate.html").read_text()
    assert "recorded" in again
    assert "the policy has a memory" in lstm
    assert "the policy has a memory" in judged_lstm


@pytest.mark.slow
def test_a_policy_of_discrete_actions_is_attacked_fails_and_passes(tmp_path: Path) -> None:
    page = "discrete-actions.md"
    _, _, failed, again, passed = run(page, folder_of(page, tmp_path))
    assert "FAIL P(cost > 10) <= 0.05 at eps = 0.1" in failed
    assert "recorded" in again
    assert "PASS P(cost > 10) <= 0.1 at eps = 0.001" in passed


def test_the_readme_begins_with_the_tutorial() -> None:
    """Its first screen has the same command, and a link."""
    first = "\n".join((ROOT / "README.md").read_text().splitlines()[:45])
    assert "docs/your-environment.md" in first
    assert commands("your-environment.md")[0].split(" --attacks")[0] in first
