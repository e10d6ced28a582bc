"""Workers that are processes of this machine, and end with the one that started them."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import cloudpickle
import torch

from safer_gym.conformance.orphans import end_with_parent
from safer_gym.conformance.workers.sent import packed
from safer_gym.domains import AT_LEAST_ONE, require

Work = Callable[[Any, Any], Any]

_WORLD: dict[str, Any] = {}
"""What a worker process works with; set once when it starts."""


class Processes:
    """One worker computes in this process. More are forked where the system can fork, so that
    environments and policies need not be picklable; elsewhere they are pickled by cloudpickle.

    Args:
        size: how many.
    """

    def __init__(self, size: int) -> None:
        require(AT_LEAST_ONE, workers=size)
        self.size = size
        self.here = size == 1

    @contextmanager
    def started(self, work: Work, world: Any) -> Iterator[Callable[[Any], Future[Any]]]:
        """A context in which jobs can be begun."""
        if self.here:
            yield partial(_here, work, world)
            return
        can_fork = "fork" in multiprocessing.get_all_start_methods()
        why = f"workers={self.size}: this system cannot fork"
        payload = None if can_fork else packed((work, world), why)
        if can_fork:
            _WORLD["now"] = (work, world)
        executor = ProcessPoolExecutor(
            self.size,
            mp_context=multiprocessing.get_context("fork" if can_fork else "spawn"),
            initializer=_start,
            initargs=(payload,),
        )
        try:
            yield partial(_submit, executor)
        finally:
            _WORLD.clear()
            executor.shutdown(wait=True, cancel_futures=True)


def _here(work: Work, world: Any, job: Any) -> Future[Any]:
    done: Future[Any] = Future()
    done.set_result(work(world, job))
    return done


def _submit(executor: ProcessPoolExecutor, job: Any) -> Future[Any]:
    with warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads; workers start no thread of ours.
        warnings.simplefilter("ignore", DeprecationWarning)
        return executor.submit(_do, job)


def _start(payload: bytes | None) -> None:
    end_with_parent()
    torch.set_num_threads(1)
    if payload is not None:
        _WORLD["now"] = cloudpickle.loads(payload)


def _do(job: Any) -> Any:
    work, world = _WORLD["now"]
    return work(world, job)
