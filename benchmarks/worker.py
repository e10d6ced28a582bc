"""A process of its own for one variant, for settings that hold for a whole process.

glibc reads MALLOC_* once, at a process's start, so variants of it cannot share a process.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

import torch
from typing_extensions import Self

from benchmarks.timing import Lap, lap_of

Build = Callable[..., Callable[[], Any]]

KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)}
"""Ask glibc to keep what is freed, so that large temporaries do not fault their pages in anew."""


class Worker:
    """Runs `build(**options)()` once for each call, elsewhere, and tells how long it took.

    Args:
        build: a function of a module, which makes the piece of work.
        options: its arguments.
        environment: variables that the process starts with.
    """

    def __init__(
        self, build: Build, options: Mapping[str, Any], environment: Mapping[str, str]
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, end = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(end, build, dict(options), torch.get_num_threads()), daemon=True
        )
        before = dict(os.environ)
        os.environ.update(environment)
        try:
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        end.close()

    def __call__(self) -> Lap:
        """One lap.

        Raises:
            EOFError: the process has died.
        """
        self._pipe.send(True)
        return Lap(*self._pipe.recv())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._pipe.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.terminate()


def _serve(pipe: Connection, build: Build, options: dict[str, Any], threads: int) -> None:
    torch.set_num_threads(threads)
    run = lap_of(build(**options))
    try:
        while pipe.recv():
            pipe.send(tuple(run()))
    except EOFError:
        return
