"""The tutorials' commands and files, and how they are run from an empty folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from test_layout import ROOT


def commands(page: str) -> list[str]:
    """All lines for the shell."""
    text = (ROOT / "docs" / page).read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def files(page: str) -> dict[str, str]:
    """The files that the page writes, by name."""
    text = (ROOT / "docs" / page).read_text()
    return dict(re.findall(r"```python file=(\S+)\n(.*?)```", text, re.DOTALL))


def folder_of(page: str, path: Path) -> Path:
    """Nothing but the page's files, and the two commands that an installation gives."""
    for name, text in files(page).items():
        (path / name).write_text(text)
    return with_commands(path)


def with_commands(path: Path) -> Path:
    """The folder with the two commands that an installation gives."""
    (path / "bin").mkdir()
    for name, words in {"safer-gym": "-m safer_gym.conformance.cli.main", "python": ""}.items():
        script = path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words} "$@"\n')
        script.chmod(0o755)
    return path


def environment(folder: Path) -> dict[str, str]:
    """In which the commands run."""
    return {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(folder / "state"),
        "OMP_NUM_THREADS": "1",
    }


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one."""
    env = environment(folder)
    return subprocess.run(command, shell=True, cwd=folder, env=env, capture_output=True, text=True)


def run(page: str, folder: Path) -> list[str]:
    """What each command says, in the page's order: each may need what an earlier one left."""
    said = []
    for command in commands(page):
        done = shell(command, folder)
        said.append(" ".join(done.stdout.split()))
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return said
