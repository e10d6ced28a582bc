"""Learning curves: reward and cost of training episodes against environment steps, by method."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.harness.records import Record, select
from experiments.safer.paper import table_methods
from safer_gym.conformance.figures.canvas import Frame, Paint, grid
from safer_gym.conformance.figures.curves import paint_curve, paint_limit
from safer_gym.wrappers.tasks import COST_LIMIT

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


class Panel(NamedTuple):
    """A method's picture."""

    method: str
    seeds: tuple[int, ...]
    """Those that have a curve."""
    paints: tuple[Paint, ...]
    """Reward and cost; empty where no seed has a curve."""

    def picture(self) -> str:
        """The method's own picture."""
        return grid(self.paints, f"Learning curves of {self.method}", 1, FRAME)


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


def panels(records: Sequence[Record], task: str) -> list[Panel]:
    """A panel for each method of Table 5, run or not, and for each other that has run.

    All panels of a task have the same axes.
    """
    names = list(table_methods(5, task))
    names += sorted({r.method for r in records if r.task == task} - set(names))
    found = {name: select(records, task, name) for name in names}
    curves = {name: {c: joined(runs, c) for c in COLUMNS} for name, runs in found.items()}
    drawn = [part for parts in curves.values() for part in parts.values() if part]
    if not drawn:
        return []
    across = (0.0, ROOM * max(float(part.steps[-1]) for part in drawn))
    up = {c: _span([p for parts in curves.values() if (p := parts[c])]) for c in COLUMNS}
    return [
        Panel(
            name,
            tuple(record.seed for record in found[name] if record.curve()),
            tuple(
                partial(_paint, method=name, column=c, part=part, across=across, up=up[c])
                for c, part in parts.items()
                if part
            ),
        )
        for name, parts in curves.items()
    ]


def _span(parts: Sequence[Joined]) -> tuple[float, float]:
    low = min(float(part.low.min()) for part in parts)
    return min(0.0, low), ROOM * max(float(part.high.max()) for part in parts) or 1.0


def _paint(ax: Axes, method: str, column: str, part: Joined, across: Span, up: Span) -> None:
    title, role = COLUMNS[column]
    if column == "ep_cost_mean":
        paint_limit(ax, COST_LIMIT)
    paint_curve(ax, part.steps, part.mean, role, (part.low, part.high))
    ax.set(title=f"{method}: {title.lower()}", xlim=across, ylim=up)


def sheet(drawn: Sequence[Panel], columns: int = 3) -> str:
    """All panels that have a curve in one SVG; "" where none has."""
    known = [panel.paints for panel in drawn if panel.paints]
    if not known:
        return ""
    known += [(_nothing,) * len(COLUMNS)] * (-len(known) % columns)
    rows = [known[i : i + columns] for i in range(0, len(known), columns)]
    paints = [paint for row in rows for line in zip(*row, strict=True) for paint in line]
    return grid(paints, "Learning curves", columns, FRAME)


def _nothing(ax: Axes) -> None:
    ax.axis("off")
