"""The learning curve: mean reward and cost of the latest episodes, row by row."""

from __future__ import annotations

import csv
import math
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class CurvePoint(NamedTuple):
    """One row of the curve; the names are the header of its CSV file."""

    timesteps: int
    ep_rew_mean: float
    ep_cost_mean: float
    seconds: float
    """Wall time spent training, over all sittings."""
    total_cost: float = math.nan
    """Cost of all environment steps so far; NaN where an older version wrote the curve."""


class EpisodeSums:
    """Adds up reward and cost of E environments and keeps the latest finished episodes.

    Args:
        window: Finished episodes in a mean.
        total_cost: Cost of the steps of earlier sittings.
    """

    def __init__(self, window: int = 20, total_cost: float = 0.0) -> None:
        self.total_cost = total_cost
        self.finished: deque[tuple[float, float]] = deque(maxlen=window)
        self._running: NDArray[np.float64] | None = None

    def add(self, rewards: NDArray, costs: Iterable[float], dones: NDArray) -> None:
        """Take one step of every environment: rewards, costs and episode ends, each [E]."""
        step = np.stack([np.asarray(rewards, np.float64), np.fromiter(costs, np.float64)])
        self.total_cost += float(step[1].sum())
        self._running = step if self._running is None else self._running + step
        for env in np.flatnonzero(dones):
            self.finished.append((float(self._running[0, env]), float(self._running[1, env])))
            self._running[:, env] = 0.0

    def point(self, timesteps: int, seconds: float) -> CurvePoint:
        """The means over the window; call it once an episode has finished."""
        reward, cost = np.mean(self.finished, axis=0)
        return CurvePoint(timesteps, float(reward), float(cost), seconds, self.total_cost)


def write_curve(path: Path, points: Iterable[CurvePoint]) -> None:
    """Write `points` as CSV with a header."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(CurvePoint._fields)
        writer.writerows(
            (
                p.timesteps,
                f"{p.ep_rew_mean:.4f}",
                f"{p.ep_cost_mean:.4f}",
                f"{p.seconds:.3f}",
                f"{p.total_cost:.4f}",
            )
            for p in points
        )


def read_curve(path: Path) -> list[CurvePoint]:
    """Undo `write_curve`; a missing file is an empty curve."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            CurvePoint(
                int(row["timesteps"]), *(float(row.get(k, "nan")) for k in CurvePoint._fields[1:])
            )
            for row in csv.DictReader(file)
        ]


def last_means(curve: list[CurvePoint]) -> dict[str, float]:
    """Reward and cost of the latest episodes; nothing of an empty curve."""
    if not curve:
        return {}
    return {key: round(value, 3) for key, value in curve[-1]._asdict().items() if "mean" in key}
