"""Seen from above: where the agent went, and where it had a cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safer_gym.conformance.figures.theme import light

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def paint_path(ax: Axes, positions: NDArray, costs: NDArray) -> None:
    """A path [T, 2] from its start, a dot; steps with a cost stand out."""
    from matplotlib.collections import LineCollection

    ax.plot(*positions.T, color=light("muted"), linewidth=1.4)
    steps = np.stack([positions[:-1], positions[1:]], axis=1)
    costly = steps[costs[1 : len(positions)] > 0]
    ax.add_collection(LineCollection(list(costly), colors=light("alarm"), linewidths=3.0))
    ax.plot(*positions[0], "o", markersize=5, color=light("ink"))
