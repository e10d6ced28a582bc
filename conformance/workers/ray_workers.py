"""Workers that are tasks of a Ray cluster: each job runs where a CPU is free.

What the jobs share is stored in the cluster once, and each worker process keeps it for all of its
jobs. A job whose worker is lost is done again by another one; no other job notices.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from threading import current_thread, main_thread
from typing import Any

import cloudpickle
import torch

from safer_gym.conformance.workers.sent import packed
from safer_gym.domains import COUNT, require

LOCAL = "local"
"""In the place of an address: a cluster on this machine, for the block alone."""
EQUAL = {"worker_niceness": 0}
"""Ray's workers yield to every other process (niceness 15); these count as other workers do."""
RETRIES = 3
"""How often a job is begun again when its worker is lost."""

_HELD: dict[Any, Any] = {}
"""In a worker process: what the jobs of the last pool share, by its place in the cluster."""


class WorkerLostError(RuntimeError):
    """The workers of a job were lost, again and again."""


class RayWorkers:
    """`with RayWorkers("auto") as workers: certify(..., workers=workers)`

    A program that is connected to a cluster already goes on with that one.

    Args:
        address: of the cluster: "auto", "host:port", or "local" for one on this machine that ends
            with the block.
        size: how many jobs at once, one CPU each; 0 is as many as the cluster has CPUs.

    Raises:
        ModuleNotFoundError: Ray is not installed.
        ValueError: there is no cluster at the address, or it has no CPU.
    """

    here = False

    def __init__(self, address: str = "auto", size: int = 0) -> None:
        require(COUNT, workers=size)
        try:
            import ray
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("--ray needs Ray: pip install 'safer-gym[ray]'") from error
        self.address, self.size, self._ray, self._joined = address, size, ray, False

    def __enter__(self) -> RayWorkers:
        if not self._ray.is_initialized():
            try:
                with handlers_kept():  # Ray's own abort the process at SIGTERM
                    self._join()
            except Exception as error:  # Ray raises that very class where a start takes too long
                self._ray.shutdown()
                raise ValueError(f"no Ray cluster at {self.address!r}: {error}") from error
            self._joined = True
        self.size = self.size or int(self._ray.cluster_resources().get("CPU", 0))
        if not self.size:
            self.__exit__()
            raise ValueError(f"the Ray cluster at {self.address!r} has no CPU for a job")
        return self

    def __exit__(self, *raised: object) -> None:
        if self._joined:
            self._ray.shutdown()

    def _join(self) -> None:
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self.address != LOCAL:
            self._ray.init(address=self.address, **quiet)
            return
        cpus = self.size or os.cpu_count()
        self._ray.init(num_cpus=cpus, include_dashboard=False, _system_config=EQUAL, **quiet)

    @contextmanager
    def started(
        self, work: Callable[[Any, Any], Any], world: Any
    ) -> Iterator[Callable[[Any], Future[Any]]]:
        """A context in which jobs can be begun; those that still run are cancelled at its end."""
        ray, why = self._ray, "jobs of a Ray cluster run elsewhere"
        place = ray.put(packed((work, world), why))
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(_do)
        running: dict[Future[Any], Any] = {}

        def submit(job: Any) -> Future[Any]:
            ended: Future[Any] = Future()
            running[ended] = task.remote([place], job)  # in a list, Ray hands the place on itself
            ended.add_done_callback(lambda future: running.pop(future, None))
            running[ended].future().add_done_callback(partial(_pass_on, ended))
            return ended

        try:
            yield submit
        finally:
            for reference in list(running.values()):
                ray.cancel(reference)


def _pass_on(ended: Future[Any], rays: Future[Any]) -> None:
    """The job's own error instead of Ray's around it."""
    error = rays.exception()
    cause = getattr(error, "cause", None)
    if error is None:
        ended.set_result(rays.result())
    elif isinstance(cause, BaseException):
        ended.set_exception(cause)
    else:
        ended.set_exception(WorkerLostError(f"a Ray task was lost: {type(error).__name__}"))


def _do(box: list[Any], job: Any) -> Any:
    """In a worker process of Ray."""
    (place,) = box
    if place not in _HELD:
        import ray

        torch.set_num_threads(1)
        _HELD.clear()
        _HELD[place] = cloudpickle.loads(ray.get(place))
    work, world = _HELD[place]
    return work(world, job)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """What the block does to the handlers of SIGINT and SIGTERM is undone."""
    numbers = (signal.SIGINT, signal.SIGTERM) if current_thread() is main_thread() else ()
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
