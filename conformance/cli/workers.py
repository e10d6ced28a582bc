"""The workers that `--workers` and `--ray` ask for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from safer_gym.conformance.workers.pool import Workers, as_workers
from safer_gym.conformance.workers.ray_workers import RayWorkers


@contextmanager
def workers_of(count: int | None, ray: str) -> Iterator[Workers]:
    """Processes of this machine, or a Ray cluster while the block lasts.

    Args:
        count: how many at once; None: one process, or as many as the cluster has CPUs.
        ray: address of the cluster, "auto", or "local"; "" is none.

    Raises:
        ModuleNotFoundError, ValueError: see `RayWorkers`.
    """
    if not ray:
        yield as_workers(1 if count is None else count)
        return
    with RayWorkers(ray, count or 0) as workers:
        yield workers
