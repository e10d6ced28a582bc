"""Work that is killed at a chosen moment: at the n-th time that it changes a file in a folder."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

CHANGES = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def changes(work: Callable[[], Any], folder: Path) -> int:
    """How often `work`, done in a process of its own, changes a file under `folder`."""
    hears, says = os.pipe()
    pid = _fork(lambda: (_watch(folder, lambda n: os.write(says, b".")), work()))
    os.close(says)
    count = 0
    while part := os.read(hears, 2**16):
        count += len(part)
    os.close(hears)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return count


def killed(work: Callable[[], Any], folder: Path, moment: int) -> None:
    """Do `work` in a process of its own, which SIGKILL ends right before change `moment`."""

    def kill(n: int) -> None:
        if n == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    pid = _fork(lambda: (_watch(folder, kill), work()))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def moments(seed: int, of: int, count: int) -> Iterator[int]:
    """`count` different moments of `of` changes."""
    yield from sorted(random.Random(seed).sample(range(of), count))


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _fork(work: Callable[[], Any]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: forks beside threads
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            torch.set_num_threads(1)
            work()
            code = 0
        finally:
            os._exit(code)
    return pid


def _watch(folder: Path, tell: Callable[[int], Any]) -> None:
    start, count = str(folder), [0]

    def hook(event: str, args: tuple) -> None:
        if event not in CHANGES or not str(args[0]).startswith(start):
            return
        if event == "open" and not args[2] & WRITES:
            return
        number, count[0] = count[0], count[0] + 1
        tell(number)

    sys.addaudithook(hook)


MOVING = (
    "content_hash",
    "seconds",
    "created",
    "command",
    "versions",
    "made",
    "time",
    "provenance",
    "commit",
)


def still(value: Any) -> Any:
    """What does not depend on when and by what it was measured."""
    if isinstance(value, dict):
        return {key: still(part) for key, part in value.items() if key not in MOVING}
    return [still(part) for part in value] if isinstance(value, list) else value


def check_kills(work: Callable[[], Any], result: Path, folder: Path, kills: int, seed: int) -> None:
    """Killed at any of these moments and done again, `work` leaves the same result."""
    emptied(folder)
    work()
    whole = still(json.loads(result.read_text()))
    emptied(folder)
    count = changes(work, folder)
    for moment in moments(seed, count, kills):
        emptied(folder)
        killed(work, folder, moment)
        work()
        assert still(json.loads(result.read_text())) == whole
