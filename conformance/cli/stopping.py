"""Ctrl-C and SIGTERM as a question that long work asks itself."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

INTERRUPTED = 130
"""Exit code of a command that was stopped and can be resumed."""


@contextmanager
def stop_flag() -> Iterator[Any]:
    """Ctrl-C and SIGTERM set a flag instead of tearing training apart; the flag is a function."""
    asked: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, remember) for number in numbers]
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """What the block does to the handlers of SIGINT and SIGTERM is undone; on the main thread."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
