"""An object in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

import torch

Build = Callable[[Callable[[], bool]], Any]

CLOSING_SECONDS = 10.0
"""How long the object may take to close before its process is ended."""

NOT_BEGUN = ' before it began; a script that starts it needs `if __name__ == "__main__":`'


class Remote:
    """Calls methods of `build(wanted)` in another process, which has one torch thread.

    Args:
        build: a function or class of a module. `wanted()` is False once nobody waits for what the
            running call will return; the object has a method `close`.
    """

    def __init__(self, build: Build) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, end = context.Pipe()
        self._process = context.Process(target=_serve, args=(end, build), daemon=True)
        self._process.start()
        end.close()
        self._owed = self._began = False

    def send(self, method: str, *args: Any, **kwargs: Any) -> None:
        """Begin a call; an earlier one whose answer was not received is waited for."""
        if self._owed:
            self.receive()
        with self._end_reported():
            self._pipe.send((method, args, kwargs))
        self._owed = True

    def receive(self) -> Any:
        """What the call returned.

        Raises:
            RuntimeError: it raised an error, whose traceback is in the message; or the process has
                ended.
        """
        with self._end_reported():
            self._pipe.poll(None)  # Ctrl-C may break the waiting, but not a message
            error, value = self._pipe.recv()
        self._owed, self._began = False, True
        if error:
            raise RuntimeError(f"in the other process:\n{error}")
        return value

    def close(self) -> None:
        """End the process; a call that is running is given up."""
        self._pipe.close()
        self._process.join(CLOSING_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    @contextmanager
    def _end_reported(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError) as lost:
            self._process.join(1.0)
            hint = "" if self._began else NOT_BEGUN
            code = self._process.exitcode
            raise RuntimeError(f"the other process has ended (exit code {code}){hint}") from lost


def _serve(pipe: Connection, build: Build) -> None:
    """Answer (method, args, kwargs) by (traceback or "", value) until the other end closes."""
    _leave_signals_to_the_parent()
    torch.set_num_threads(1)
    with closing(build(lambda: not pipe.poll())) as served, suppress(EOFError, ConnectionError):
        while True:
            method, args, kwargs = pipe.recv()
            try:
                pipe.send(("", getattr(served, method)(*args, **kwargs)))
            except Exception:
                pipe.send((traceback.format_exc(), None))


def _leave_signals_to_the_parent() -> None:
    """It decides what Ctrl-C, or SIGTERM to the whole group, means, and closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setpgrp"):
        os.setpgrp()
