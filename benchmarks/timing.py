"""Clocks for a machine that other programs use too.

Two clocks are kept. Wall time is what a user waits for; it grows when others compute. CPU time is
what this process used; it is the one to compare on a busy machine. Variants are run in turns
(A B A B), so that both run beside the same load, and only ratios from one run are worth quoting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, NamedTuple


class Lap(NamedTuple):
    """One run of one variant, in seconds."""

    wall: float
    cpu: float


class Timing(NamedTuple):
    """All laps of one variant."""

    laps: list[Lap]

    @property
    def wall(self) -> float:
        """Median wall time, seconds."""
        return median(lap.wall for lap in self.laps)

    @property
    def cpu(self) -> float:
        """Median CPU time, seconds."""
        return median(lap.cpu for lap in self.laps)

    def to_json(self, per: int = 1) -> dict[str, Any]:
        """Medians and extremes of seconds for each of `per` equal parts of a lap."""
        return {
            "repetitions": len(self.laps),
            "wall_s": self.wall / per,
            "cpu_s": self.cpu / per,
            "wall_min_s": min(lap.wall for lap in self.laps) / per,
            "cpu_min_s": min(lap.cpu for lap in self.laps) / per,
        }


Runner = Callable[[], Lap]


def lap_of(work: Callable[[], Any]) -> Runner:
    """Time one call of `work`."""

    def run() -> Lap:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        return Lap(time.perf_counter() - wall, time.process_time() - cpu)

    return run


def interleave(
    variants: Mapping[str, Runner], repetitions: int, warm_up: int = 1
) -> dict[str, Timing]:
    """Run all variants in turns, `repetitions` times; the first `warm_up` rounds do not count.

    Raises:
        ValueError: for less than one repetition.
    """
    if repetitions < 1:
        raise ValueError(f"repetitions must be >= 1; got {repetitions!r}")
    laps: dict[str, list[Lap]] = {name: [] for name in variants}
    for turn in range(warm_up + repetitions):
        for name, run in variants.items():
            lap = run()
            if turn >= warm_up:
                laps[name].append(lap)
    return {name: Timing(kept) for name, kept in laps.items()}


def ratio(timings: Mapping[str, Timing], slow: str, fast: str) -> dict[str, float]:
    """How many times the time of `fast` `slow` takes, by the medians of both clocks."""
    return {
        "wall": timings[slow].wall / timings[fast].wall,
        "cpu": timings[slow].cpu / timings[fast].cpu,
    }
