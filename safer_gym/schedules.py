"""Schedules of the perturbation radius: training progress to a fraction of eps.

Progress runs from 0 to 1 and is clipped to that range. Every schedule rises from 0 before `start`
to 1 from `end` on, except `constant`.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Protocol

from safer_gym.choices import choose
from safer_gym.domains import AT_LEAST_ONE, NUMBER, POSITIVE, SHARE, require


class EpsSchedule(Protocol):
    """Training progress in [0, 1] to the fraction of eps in use, in [0, 1]."""

    def __call__(self, progress: float) -> float: ...


def constant(progress: float, value: float = 1.0) -> float:
    """The same fraction throughout."""
    require(SHARE, value=value)
    _within(progress, 0.0, 1.0)
    return float(value)


def linear(progress: float, start: float = 0.0, end: float = 1.0) -> float:
    """min(1, max(0, progress - start) / (end - start)): Eq. 67 of the paper.

    There T_s = start and T_i = end - start, in epochs.
    """
    return _within(progress, start, end)


def exponential(progress: float, start: float = 0.0, end: float = 1.0, rate: float = 5.0) -> float:
    """1 - exp(-rate x), scaled to reach 1 at `end`; x goes from 0 to 1. Rises fast at first."""
    require(POSITIVE, rate=rate)
    return math.expm1(-rate * _within(progress, start, end)) / math.expm1(-rate)


def step(progress: float, start: float = 0.0, end: float = 1.0, levels: int = 5) -> float:
    """`levels` equal stairs, the last one taken at `end`."""
    require(AT_LEAST_ONE, levels=levels)
    return math.floor(_within(progress, start, end) * levels) / levels


SCHEDULES: dict[str, Any] = {
    "linear": linear,
    "exponential": exponential,
    "constant": constant,
    "step": step,
}


def make_schedule(name: str, **options: float) -> EpsSchedule:
    """A schedule by name, with its options fixed.

    Raises:
        ValueError: for an unknown name or bad options.
        TypeError: for an option that the schedule does not have.
    """
    schedule = partial(SCHEDULES[choose("schedule", name, SCHEDULES)], **options)
    schedule(0.0)  # refuse bad options now, not in the middle of a run
    return schedule


def _within(progress: float, start: float, end: float) -> float:
    """How far progress is on its way from start to end, in [0, 1]."""
    require(SHARE, start=start, end=end)
    require(NUMBER, progress=progress)
    if start > end:
        raise ValueError(f"start must not be above end; got start={start!r}, end={end!r}")
    progress = min(max(progress, 0.0), 1.0)
    if progress >= end:
        return 1.0
    return 0.0 if progress <= start else (progress - start) / (end - start)
