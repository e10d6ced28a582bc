"""Runs on a Ray cluster: the same work, on machines that share the folders."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

from experiments.harness.cells import Cell
from experiments.harness.work import work
from safer_gym.conformance.cli.progress_file import ProgressFile
from safer_gym.conformance.workers.ray_workers import RayWorkers, WorkerLostError


class RayCluster:
    """One Ray task of one CPU for each run; a lost one goes on from its checkpoint elsewhere.

    Args:
        address, size: as of `RayWorkers`.

    Raises:
        ModuleNotFoundError: Ray is not installed.
        ValueError: there is no cluster at the address.
    """

    def __init__(self, address: str, size: int) -> None:
        self._stack = ExitStack()
        workers = self._stack.enter_context(RayWorkers(address, size))
        self.size = workers.size
        self._submit = self._stack.enter_context(workers.started(_alone, None))
        self._running: dict[Future[str], Cell] = {}

    def start(self, cell: Cell) -> None:
        """Hand a run to the cluster."""
        self._running[self._submit(cell)] = cell

    def ended(self) -> list[tuple[Cell, str]]:
        """The runs that ended since the last call, each with what went wrong, or ""."""
        over = [future for future in self._running if future.done()]
        return [(self._running.pop(future), _verdict(future)) for future in over]

    def stop(self) -> None:
        """Leave the cluster; what runs is ended, and goes on from its checkpoint another time."""
        self._stack.close()


def _verdict(future: Future[str]) -> str:
    try:
        return future.result()
    except WorkerLostError as error:
        return str(error)


def _alone(world: Any, cell: Cell) -> str:
    return work(cell, ProgressFile(cell.folder))
