"""Jobs side by side in processes; results come in the order of the jobs, whatever the number."""

from __future__ import annotations

import multiprocessing
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from types import TracebackType
from typing import Any, Generic, TypeVar

import cloudpickle
import torch

from safer_gym.conformance.certify.sent import packed
from safer_gym.conformance.orphans import end_with_parent

J = TypeVar("J")
R = TypeVar("R")

_WORLD: dict[str, Any] = {}
"""What a worker process works with; set once when it starts."""


class Pool(Generic[J, R]):
    """`with Pool(work, world, workers) as pool: for result in pool.run(jobs): ...`

    One worker computes in this process. More are forked where the system can fork, so that
    environments and policies need not be picklable; elsewhere they are pickled by cloudpickle.

    Args:
        work: from world and job to a result, at module level.
        world: what all jobs share.
        workers: number of processes.
    """

    def __init__(self, work: Callable[[Any, J], R], world: Any, workers: int) -> None:
        self.work, self.world, self.workers = work, world, workers
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Pool[J, R]:
        if self.workers > 1:
            can_fork = "fork" in multiprocessing.get_all_start_methods()
            payload = None if can_fork else packed((self.work, self.world), self.workers)
            if can_fork:
                _WORLD["now"] = (self.work, self.world)
            self._executor = ProcessPoolExecutor(
                self.workers,
                mp_context=multiprocessing.get_context("fork" if can_fork else "spawn"),
                initializer=_start,
                initargs=(payload,),
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _WORLD.clear()
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def run(self, jobs: Sequence[J], deadline: float = float("inf")) -> Iterator[R]:
        """Results of the jobs, in order; none that would begin after `deadline` (monotonic)."""
        if self._executor is None:
            for job in jobs:
                if time.monotonic() >= deadline:
                    return
                yield self.work(self.world, job)
            return
        yield from self._spread(self._executor, deque(jobs), deadline)

    def _spread(
        self, executor: ProcessPoolExecutor, waiting: deque[J], deadline: float
    ) -> Iterator[R]:
        ordered: deque[Future[R]] = deque()
        running: set[Future[R]] = set()
        while waiting or ordered:
            while waiting and len(running) < self.workers and time.monotonic() < deadline:
                with warnings.catch_warnings():
                    # Python 3.12 warns of forks beside threads; workers start no thread of ours.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    ordered.append(executor.submit(_do, waiting.popleft()))
                running.add(ordered[-1])
            if not ordered:
                return
            running = wait(running, return_when=FIRST_COMPLETED).not_done
            while ordered and ordered[0].done():
                yield ordered.popleft().result()


def _start(payload: bytes | None) -> None:
    end_with_parent()
    torch.set_num_threads(1)
    if payload is not None:
        _WORLD["now"] = cloudpickle.loads(payload)


def _do(job: Any) -> Any:
    work, world = _WORLD["now"]
    return work(world, job)
