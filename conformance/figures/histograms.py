"""Costs of single episodes: a histogram for each group, one above the other, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safer_gym.conformance.figures.canvas import Frame
from safer_gym.conformance.figures.theme import light
from safer_gym.conformance.formatting import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path

BINS = 50
FULL, LEAST = 0.62, 0.05
"""Heights of a bar that holds all episodes and of the smallest one, in rows."""
DASHED = (0, (3, 2))
AXIS, ROW = 36.0, 46.0
"""Pixels of the axis and of each row."""


def histogram_frame(rows: int) -> Frame:
    """The frame of a figure of so many rows."""
    return Frame(380.0, AXIS + ROW * rows, 8.0, 12.0, 2.0, AXIS - 2.0)


def paint_histograms(
    ax: Axes, groups: Sequence[tuple[str, Sequence[float]]], limit: float | None = None
) -> None:
    """Each group's name above its histogram; the first group on top.

    Bars grow with the root of the number of episodes: one of a thousand must still be seen. Costs
    above `limit` stand out.
    """
    from matplotlib.patches import PathPatch

    every = [cost for _, costs in groups for cost in costs if np.isfinite(cost)]
    top = max([1e-9, *every, *([] if limit is None else [limit * 1.25])])
    edges = np.linspace(0.0, top, BINS + 1)
    rows = range(len(groups))
    for row, (name, costs) in zip(rows, reversed(groups), strict=True):
        for part, role in sides(np.asarray(costs, np.float64), limit):
            bars = _bars(part, edges, row, len(costs))
            ax.add_patch(PathPatch(bars, facecolor=light(role), linewidth=0))
        ax.text(0.0, row + FULL + 0.08, " ".join(name.split()), color=light("ink"))
    ax.hlines(rows, 0.0, top, light("rule"), linewidth=1)
    if limit is not None:
        tops = [row + FULL for row in rows]
        ax.vlines([limit] * len(groups), rows, tops, light("alarm"), DASHED, linewidth=1.3)
    ax.set(xlim=(0.0, top), ylim=(-0.02, len(groups)), yticks=[], xlabel="cost of an episode")
    ax.xaxis.set_major_formatter(lambda value, _: short(value))
    ax.grid(False)


def paint_costs(ax: Axes, costs: NDArray, title: str, limit: float | None = None) -> None:
    """One histogram of episodes; costs above `limit` stand out."""
    parts, roles = zip(*sides(costs, limit), strict=True)
    ax.hist(parts, BINS, stacked=True, color=[light(role) for role in roles])
    if limit is not None:
        ax.axvline(limit, color=light("alarm"), linewidth=1.3, linestyle="--")
    ax.set(title=title, xlabel="cost of an episode", ylabel="episodes")


def sides(values: NDArray, limit: float | None) -> list[tuple[NDArray, str]]:
    """The costs within and those above the limit, each with its colour's role.

    No bar holds costs of both sides.
    """
    if limit is None:
        return [(values, "s1")]
    return [(values[values <= limit], "s1"), (values[values > limit], "alarm")]


def _bars(values: NDArray, edges: NDArray, row: float, total: int) -> Path:
    """A box for each bin that holds an episode, as one path."""
    from matplotlib.path import Path

    counts, _ = np.histogram(values, edges)
    boxes = []
    for i in np.flatnonzero(counts):
        (left, right), height = edges[i : i + 2], max(FULL * np.sqrt(counts[i] / total), LEAST)
        corners = [(left, row), (left, row + height), (right, row + height), (right, row)]
        boxes.append(Path([*corners, corners[0]], closed=True))
    return Path.make_compound_path(*boxes)
