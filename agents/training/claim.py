"""Whose a run's folder is: a lock while it is trained in, an identity as long as it exists."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from safer_gym.agents.model_file import replacing
from safer_gym.agents.training.checkpoint import LATEST

IDENTITY, LOCK, OWNER = "settings.json", ".lock", ".owner.txt"
CHECKPOINTS, POLICIES = "checkpoints", "policies"
FILES = ("model.zip", "model.json", "last.zip", "curve.csv")
"""What a finished training leaves beside its checkpoints and kept policies."""
SHOWN = 4
"""Differences that a message names."""


@contextmanager
def claimed(folder: Path, identity: Mapping[str, Any], *, resume: bool) -> Iterator[None]:
    """Hold a folder for one training; the lock ends with the block, and with the process.

    Args:
        folder: of the run; it is made.
        identity: what must be equal for a run to be resumed, as JSON.
        resume: False removes what an earlier run left.

    Raises:
        ValueError: another process trains there; or the folder holds another run, and `resume`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            _write(folder / OWNER, f"process {os.getpid()} on {socket.gethostname()}\n")
            if resume:
                _check(folder, identity)
            else:
                _clear(folder)
            _write(folder / IDENTITY, json.dumps(dict(identity), indent=1) + "\n")
            yield
    except Timeout:
        owner = folder / OWNER
        who = owner.read_text().strip() if owner.exists() else "another process"
        raise ValueError(
            f"{folder} is in use: {who} trains there; wait for its end, or pass another --out"
        ) from None


def _check(folder: Path, identity: Mapping[str, Any]) -> None:
    path = folder / IDENTITY
    if path.exists():
        there = json.loads(path.read_text())
        if "version" not in there:  # a run of before runs said it
            identity = {key: value for key, value in identity.items() if key != "version"}
        found = differences(there, identity)
        what = f"a run with other settings: {'; '.join(found[:SHOWN])}" if found else ""
    else:
        what = "a checkpoint of an unknown run" if (folder / CHECKPOINTS / LATEST).exists() else ""
    if what:
        raise ValueError(f"{folder} holds {what}; pass another --out, or --no-resume to start over")


def differences(there: Mapping[str, Any], here: Mapping[str, Any], place: str = "") -> list[str]:
    """Where two runs differ, in words.

    >>> differences({"seed": 0, "kwargs": {"eps": 0.1}}, {"seed": 1, "kwargs": {"eps": 0.1}})
    ['seed is 0 there and 1 here']
    """
    found = []
    for key in sorted(there.keys() | here.keys()):
        old, new = (side.get(key, "not set") for side in (there, here))
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{place}{key}.")
        elif old != new:
            found.append(f"{place}{key} is {old} there and {new} here")
    return found


def _clear(folder: Path) -> None:
    """Remove a run, the pointer to its checkpoint first: a kill leaves none to go on from."""
    (folder / CHECKPOINTS / LATEST).unlink(missing_ok=True)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    for name in (CHECKPOINTS, POLICIES):
        shutil.rmtree(folder / name, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    with replacing(path, "txt") as file:
        file.write(text.encode())
