"""Runs on a Ray cluster: the same work, on machines that share the folders."""

from __future__ import annotations

import os
from typing import Any

from experiments.harness.cells import Cell
from experiments.harness.progress_file import ProgressFile
from experiments.harness.work import work
from safer_gym.conformance.cli.stopping import handlers_kept

LOCAL = "local"
"""In the place of an address: a cluster on this machine, for this command alone."""
EQUAL = {"worker_niceness": 0}
"""Ray's workers yield to every other process (niceness 15); runs here count as `--workers` do."""
RETRIES = 2
"""How often a run is started again, from its checkpoint, when its machine is lost."""


class RayCluster:
    """One Ray task of one CPU for each run.

    Args:
        address: of the cluster: "auto", host:port, or "local".
        size: how many at once; 0 is as many as the cluster has CPUs.

    Raises:
        ModuleNotFoundError: Ray is not installed.
        ValueError: there is no cluster at the address.
    """

    def __init__(self, address: str, size: int) -> None:
        try:
            import ray
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("--ray needs Ray: pip install 'safer-gym[ray]'") from error
        self._ray = ray
        try:
            with handlers_kept():  # Ray's own abort the process at SIGTERM
                self._join(address, size)
        except ConnectionError as error:
            raise ValueError(f"no Ray cluster at {address!r}: {error}") from error
        self.size = size or int(ray.cluster_resources()["CPU"])
        self._task = ray.remote(num_cpus=1, max_retries=RETRIES)(_alone)
        self._running: dict[Any, Cell] = {}

    def _join(self, address: str, size: int) -> None:
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if address != LOCAL:
            self._ray.init(address=address, **quiet)
            return
        cpus = size or os.cpu_count()
        self._ray.init(num_cpus=cpus, include_dashboard=False, _system_config=EQUAL, **quiet)

    def start(self, cell: Cell) -> None:
        """Hand a run to the cluster."""
        self._running[self._task.remote(cell)] = cell

    def ended(self) -> list[tuple[Cell, str]]:
        """The runs that ended since the last call, each with what went wrong, or ""."""
        if not self._running:
            return []
        over, _ = self._ray.wait(
            list(self._running), num_returns=len(self._running), timeout=0, fetch_local=False
        )
        return [(self._running.pop(task), self._verdict(task)) for task in over]

    def stop(self) -> None:
        """Leave the cluster; what runs is ended, and goes on from its checkpoint another time."""
        self._ray.shutdown()

    def _verdict(self, task: Any) -> str:
        try:
            return str(self._ray.get(task))
        except self._ray.exceptions.RayError as error:
            return f"its Ray task was lost: {type(error).__name__}"


def _alone(cell: Cell) -> str:
    return work(cell, ProgressFile(cell.folder))
