"""A certificate's bounds as columns: what was reached, what is open, and what is excluded.

One column for each radius, from bottom to top:
  reached   an attack gets this far, or the policy does alone
  open      between the ends under the attacks: more episodes would tell
  unproved  the attacks stay below; another adversary may get here
  barred    no adversary in the ball gets here
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from safer_gym.conformance.figures.svg import tip
from safer_gym.conformance.figures.theme import light
from safer_gym.conformance.formatting import amount, percent, radius, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ZONES = {
    "reached": "shown to be reached",
    "open": "more episodes would tell",
    "unproved": "the attacks stay below; another adversary may get here",
    "barred": "no adversary gets here",
}
WIDTH = 0.62
"""Of a column, in columns."""
FEWEST = 5
"""Columns that a figure has room for at least; fewer stand in its middle."""


class Column(NamedTuple):
    """The three ends of one sandwich; None where there is no bound."""

    eps: float
    lower: float
    attacks: float | None
    every: float | None

    def cuts(self, top: float) -> tuple[float, float, float, float]:
        """Where the zones end, from below; bounds that cross leave no zone between them."""
        lower = min(self.lower, top)
        attacks = min(max(self.attacks if self.attacks is not None else top, lower), top)
        every = min(max(self.every if self.every is not None else top, lower), top)
        return lower, min(attacks, every), every, top


def paint_columns(
    ax: Axes,
    columns: Sequence[Column],
    title: str,
    required: Sequence[tuple[float, float]] = (),
    *,
    rate: bool,
) -> None:
    """Columns in the order given.

    Args:
        required: Radius and bound of each requirement, drawn across its column.
        rate: The values are probabilities.
    """
    top = 1.0 if rate else _top(columns, [bound for _, bound in required])
    for i, column in enumerate(columns):
        _column(ax, i, column, top, rate)
        for eps, bound in required:
            if math.isclose(column.eps, eps, rel_tol=1e-9):
                ax.hlines(min(bound, top), i - 0.44, i + 0.44, light("ink"), linewidth=2)
    spare = max(FEWEST - len(columns), 0) / 2
    ax.set_xlim(-0.5 - spare, len(columns) - 0.5 + spare)
    ax.set_ylim(0.0, top)
    ax.set_xticks(range(len(columns)), [radius(column.eps) for column in columns])
    ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %" if rate else short(value))
    ax.set(title=title, xlabel="radius ε")


def name_zones(ax: Axes) -> None:
    """The zones in words, above the figure; a page has them beside its figures."""
    from matplotlib.patches import Patch

    patches = [Patch(color=light(zone), label=words) for zone, words in reversed(ZONES.items())]
    ax.legend(handles=patches, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)


def _column(ax: Axes, i: int, column: Column, top: float, rate: bool) -> None:
    words, below = percent if rate else amount, 0.0
    for (zone, meaning), above in zip(ZONES.items(), column.cuts(top), strict=True):
        if above > below:
            (bar,) = ax.bar(i, above - below, WIDTH, below, color=light(zone))
            span = f"{words(below)} to {words(above)}"
            tip(bar, f"ε = {column.eps:g}, {span}: {meaning}")
        below = max(below, above)


def _top(columns: Sequence[Column], bounds: Sequence[float]) -> float:
    ends = [end for c in columns for end in (c.lower, c.attacks, c.every) if end is not None]
    return 1.15 * max([end for end in (*ends, *bounds) if math.isfinite(end)], default=0.0) or 1.0
