"""The tutorial of an own environment, from an empty folder, command by command."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_layout import ROOT

PAGE = (ROOT / "docs" / "your-environment.md").read_text()
FILES = dict(re.findall(r"```python file=(\S+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing but the page's files, and the two commands that an installation gives."""
    path = tmp_path_factory.mktemp("hall")
    for name, text in FILES.items():
        (path / name).write_text(text)
    (path / "bin").mkdir()
    for name, words in {"safer-gym": "-m safer_gym.conformance.cli.main", "python": ""}.items():
        script = path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words} "$@"\n')
        script.chmod(0o755)
    return path


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(folder / "state"),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(command, shell=True, cwd=folder, env=env, capture_output=True, text=True)


@pytest.mark.slow
def test_every_command_of_the_tutorial_works(folder: Path) -> None:
    """One test, in the page's order: each command may need what an earlier one left."""
    assert {"hall.py", "attack.py", "test_hall.py"} == set(FILES)
    said = {}
    for command in COMMANDS:
        done = shell(command, folder)
        said[command] = done.stdout
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    replay = next(command for command in COMMANDS if " replay " in command)
    assert "recorded" in said[replay]
    page = (folder / "runs" / "certificate" / "certificate.html").read_text()
    assert f"<code>{replay}</code>" in page
    assert "natural" in said[COMMANDS[0]]


def test_the_readme_begins_with_the_tutorial() -> None:
    """Its first screen has the same command, and a link."""
    first = "\n".join((ROOT / "README.md").read_text().splitlines()[:45])
    assert "docs/your-environment.md" in first
    assert COMMANDS[0].split(" --attacks")[0] in first
