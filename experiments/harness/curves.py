"""Learning curves of a method's seeds, joined and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.harness.records import Record
from safer_gym.conformance.figures.canvas import Frame
from safer_gym.conformance.figures.curves import paint_curve, paint_limit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Span = tuple[float, float]
Array = NDArray[np.float64]
COLUMNS = {"ep_rew_mean": ("Reward", "s1"), "ep_cost_mean": ("Cost", "s0")}
FRAME = Frame(300.0, 170.0, 40.0, 12.0, 26.0, 34.0)
ROOM = 1.06
"""Beyond the largest value of an axis."""
MOST_POINTS = 120
"""In a line; more cannot be seen."""


class Joined(NamedTuple):
    """The curves of a method's seeds, at the steps that all of them have; each [n]."""

    steps: Array
    mean: Array
    low: Array
    high: Array


def joined(records: Sequence[Record], column: str) -> Joined | None:
    """Mean, lowest and highest over the seeds; None where no record has a curve.

    Curves are interpolated linearly to the steps of the first, as far as all of them reach.
    """
    curves = [c for c in (_points(record, column) for record in records) if len(c)]
    if not curves:
        return None
    first, last = max(c[0, 0] for c in curves), min(c[-1, 0] for c in curves)
    steps = curves[0][:, 0]
    steps = steps[(steps >= first) & (steps <= last)]
    steps = steps[:: max(1, -(-len(steps) // MOST_POINTS))]
    values = np.array([np.interp(steps, c[:, 0], c[:, 1]) for c in curves])
    return Joined(steps, values.mean(0), values.min(0), values.max(0)) if len(steps) else None


def _points(record: Record, column: str) -> Array:
    rows = [(row["timesteps"], row[column]) for row in record.curve()]
    return np.array(rows, np.float64).reshape(-1, 2)


def span_of(parts: Sequence[Joined]) -> Span:
    """The vertical axis that holds all of them."""
    low = min(float(part.low.min()) for part in parts)
    return min(0.0, low), ROOM * max(float(part.high.max()) for part in parts) or 1.0


def paint_joined(
    ax: Axes, method: str, column: str, part: Joined, across: Span, up: Span, limit: float
) -> None:
    """A method's reward, or its cost with the limit."""
    title, role = COLUMNS[column]
    if column == "ep_cost_mean":
        paint_limit(ax, limit)
    paint_curve(ax, part.steps, part.mean, role, (part.low, part.high))
    ax.set(title=f"{method}: {title.lower()}", xlim=across, ylim=up)
