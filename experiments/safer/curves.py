"""Learning curves: reward and cost of training episodes against environment steps, by method."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from experiments.harness.curves import (
    COLUMNS,
    FRAME,
    ROOM,
    joined,
    paint_joined,
    span_of,
)
from experiments.harness.records import Record, select
from experiments.safer.paper import table_methods
from safer_gym.conformance.figures.canvas import Paint, grid
from safer_gym.wrappers.tasks import COST_LIMIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    up = {c: span_of([p for parts in curves.values() if (p := parts[c])]) for c in COLUMNS}
    return [
        Panel(
            name,
            tuple(record.seed for record in found[name] if record.curve()),
            tuple(
                partial(
                    paint_joined,
                    method=name,
                    column=c,
                    part=part,
                    across=across,
                    up=up[c],
                    limit=COST_LIMIT,
                )
                for c, part in parts.items()
                if part
            ),
        )
        for name, parts in curves.items()
    ]


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
