"""Figure 2: the highest reward so far against the cumulative cost of training, log scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.harness.records import Record, select
from experiments.safer.paper import FIGURE_METHODS
from experiments.safer.tables import NOT_RUN
from safer_gym.conformance.figures.canvas import Frame, picture
from safer_gym.conformance.figures.theme import MARKERS, MARKS, light, series
from safer_gym.conformance.formatting import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRAME = Frame(720.0, 330.0)
FEW_DECADES = 2.5
"""Up to which 2 and 5 times a power of ten have ticks, too."""


def frontier(record: Record) -> NDArray[np.float64]:
    """Rows (cumulative cost, highest reward so far) of one run [n, 2]; empty without costs."""
    rows = [
        (row["total_cost"], row["ep_rew_mean"])
        for row in record.curve()
        if not np.isnan(row.get("total_cost", np.nan))
    ]
    points = np.array(rows, dtype=np.float64).reshape(-1, 2)
    points[:, 1] = np.maximum.accumulate(points[:, 1]) if len(points) else points[:, 1]
    return points


def cost_to_reach(
    one: Sequence[Record], other: Sequence[Record], share: float
) -> tuple[float, float, float] | None:
    """A reward that two methods reach, and the cumulative cost that each has paid by then.

    The reward is `share` of the lower of their highest rewards (mean over seeds); the costs are
    medians over seeds, infinite for a seed that never gets there. None: no costs were recorded.
    """
    curves = [[c for c in map(frontier, group) if len(c)] for group in (one, other)]
    if not all(curves):
        return None
    level = share * min(float(np.mean([curve[-1, 1] for curve in group])) for group in curves)
    first, second = (float(np.median([_cost_at(c, level) for c in group])) for group in curves)
    return level, first, second


def _cost_at(curve: NDArray[np.float64], level: float) -> float:
    reached = curve[curve[:, 1] >= level, 0]
    return float(reached[0]) if len(reached) else np.inf


def figure(records: Sequence[Record], task: str) -> str:
    """The SVG of one task; "" where no run recorded its costs."""
    curves = [
        (index, curve)
        for index, method in enumerate(FIGURE_METHODS)
        for curve in map(frontier, select(records, task, method))
        if len(curve)
    ]

    def paint(ax: Axes) -> None:
        for index, curve in curves:
            cost, marker = np.maximum(curve[:, 0], 1.0), MARKERS[index]
            ax.plot(cost, curve[:, 1], marker, ls="-", color=light(series(index)), markevery=[-1])
        ax.set_xscale("log")
        ax.set_ylim(min(0.0, ax.get_ylim()[0]), None)
        _ticks(ax)
        ax.grid(axis="x")
        ax.set(title="Highest reward so far", xlabel="cumulative cost of training, log scale")

    label = "Highest reward so far against cumulative cost"
    return picture(paint, label, FRAME) if curves else ""


def _ticks(ax: Axes) -> None:
    """Powers of ten; 2 and 5 times them, too, where there are few."""
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

    low, high = ax.get_xlim()
    steps = (1.0, 2.0, 5.0) if high < low * 10**FEW_DECADES else (1.0,)
    ax.xaxis.set_major_locator(LogLocator(subs=steps))
    ax.xaxis.set_major_formatter(lambda value, _: short(value))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())


class Key(NamedTuple):
    """A method's entry in the figure's legend."""

    mark: str
    role: str
    method: str
    words: str
    """How many seeds are drawn, or why none is."""


def key(records: Sequence[Record], task: str) -> list[Key]:
    """The figure's methods; those that have no curve say so."""
    items = []
    for index, method in enumerate(FIGURE_METHODS):
        found = select(records, task, method)
        runs = [r for r in found if len(frontier(r))]
        missing = "its costs were not recorded" if found else NOT_RUN
        words = f"{len(runs)} seed{'s' if len(runs) != 1 else ''}" if runs else missing
        items.append(Key(MARKS[index], series(index), method, words))
    return items
