"""The example GitHub Action, its steps run without GitHub."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_layout import ROOT

ACTION = (ROOT / "examples" / "github_action" / "action.yml").read_text()
GITLAB = (ROOT / "examples" / "gitlab_job" / "worst-case-cost.yml").read_text()
INPUTS = {
    "package": "",
    "safer_gym": "safer-gym",
    "model": "ball-circle/cvpo",
    "env": "",
    "requirement": "P(cost > 5) <= 0.25 at eps = 0.05 under attacks",
    "options": "--battery quick --episodes 25",
    "reports": "reports",
}


def steps() -> list[tuple[dict[str, str], str]]:
    """Variables and shell line of each step."""
    found = []
    for step in re.split(r"^    - ", ACTION, flags=re.MULTILINE)[1:]:
        if "uses: actions/upload-artifact@v4" in step:
            continue
        variables = re.findall(r"^ +([A-Z_]+): \$\{\{ inputs\.(\w+) \}\}$", step, re.MULTILINE)
        (line,) = re.findall(r"^ +run: (.+)$", step, re.MULTILINE)
        found.append((dict(variables), line))
    return found


def run(step: tuple[dict[str, str], str], folder: Path) -> subprocess.CompletedProcess[str]:
    variables, line = step
    line = line.replace("safer-gym ", f"{sys.executable} -m safer_gym.conformance.cli.main ", 1)
    given = {name: INPUTS[key] for name, key in variables.items()}
    given |= {"PYTHONPATH": str(ROOT), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    return subprocess.run(
        ["bash", "-ec", line],
        cwd=folder,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
    )


def test_inputs_are_declared_and_reach_the_shell_as_variables_alone() -> None:
    declared = re.findall(r"^  (\w+):$", ACTION.split("runs:")[0], re.MULTILINE)
    assert declared == list(INPUTS)
    used = {key for variables, _ in steps() for key in variables.values()}
    assert used == set(INPUTS)
    assert not any("${{" in line for _, line in steps())


def test_gitlab_runs_the_same() -> None:
    """The same lines, of the same variables."""
    lines = [line for _, line in steps()][:2]
    assert re.findall(r"^    - (python.+|safer-gym.+)$", GITLAB, re.MULTILINE) == lines
    for variables, _ in steps()[:2]:
        assert all(f"    {name}: " in GITLAB for name in variables)


@pytest.mark.slow
def test_the_action_fails_on_cvpo_and_says_why(tmp_path: Path) -> None:
    pytest.importorskip("bullet_safety_gym")
    _, gate, summary = steps()
    result = run(gate, tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert (tmp_path / "reports" / "certificate.sarif").is_file()
    assert run(summary, tmp_path).returncode == 0
    assert "FAIL" in (tmp_path / "summary.md").read_text()
