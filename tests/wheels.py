"""Wheels of a checkout or of a project, built and installed without an index."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def built(source: Path, folder: Path) -> Path:
    """The wheel of a source tree, made in a folder of its own: nothing is left in the tree."""
    _run(
        *(*PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"),
        *("--wheel-dir", str(folder / "dist"), str(source)),
    )
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def installed(wheels: list[Path], site: Path) -> Path:
    """A folder to put on the path, with the wheels in it and nothing else."""
    names = map(str, wheels)
    _run(*PIP, "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), *names)
    return site


def _run(*words: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
