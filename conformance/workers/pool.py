"""Jobs side by side; results come in the order of the jobs, whatever works and however many."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from safer_gym.conformance.workers.processes import Processes

J = TypeVar("J")
R = TypeVar("R")

Submit = Callable[[Any], "Future[Any]"]
"""Begins a job."""
POLL_SECONDS = 1.0
"""How often one who waits for a result is told that there is none yet."""


@runtime_checkable
class Workers(Protocol):
    """What computes jobs."""

    @property
    def size(self) -> int:
        """How many at once."""

    @property
    def here(self) -> bool:
        """Whether jobs run in this process."""

    def started(
        self, work: Callable[[Any, Any], Any], world: Any
    ) -> AbstractContextManager[Submit]:
        """A context in which `work(world, job)` can be begun; what still runs ends with it."""


def as_workers(workers: int | Workers) -> Workers:
    """A whole number is so many processes of this machine.

    Raises:
        ValueError, TypeError: neither workers nor a whole number >= 1.
    """
    return workers if isinstance(workers, Workers) else Processes(workers)


class Pool(Generic[J, R]):
    """`with Pool(work, world, workers) as pool: for result in pool.run(jobs): ...`

    Args:
        work: from world and job to a result, at module level.
        world: what all jobs share.
        workers: a number of processes, or other workers.
    """

    def __init__(self, work: Callable[[Any, J], R], world: Any, workers: int | Workers) -> None:
        self.work, self.world, self.workers = work, world, as_workers(workers)
        self._stack = ExitStack()

    def __enter__(self) -> Pool[J, R]:
        self._submit = self._stack.enter_context(self.workers.started(self.work, self.world))
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stack.__exit__(*raised)

    def run(
        self,
        jobs: Sequence[J],
        deadline: float = float("inf"),
        waiting: Callable[[], None] = lambda: None,
    ) -> Iterator[R]:
        """Results of the jobs, in order; none that would begin after `deadline` (monotonic).

        Args:
            waiting: called about once a second while no job ends.
        """
        left = deque(jobs)
        ordered: deque[Future[R]] = deque()
        running: set[Future[R]] = set()
        while left or ordered:
            while left and len(running) < self.workers.size and time.monotonic() < deadline:
                ordered.append(self._submit(left.popleft()))
                running.add(ordered[-1])
            if not ordered:
                return
            running = wait(running, POLL_SECONDS, FIRST_COMPLETED).not_done
            waiting()
            while ordered and ordered[0].done():
                yield ordered.popleft().result()
