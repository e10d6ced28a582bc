"""A picture of the trials of training for certifiability: reward against the indicated radius."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safer_gym.conformance.figures.canvas import Frame, picture
from safer_gym.conformance.figures.svg import standalone
from safer_gym.conformance.figures.theme import MARKERS, light, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRAME = Frame(520.0, 330.0)
AIM = (0.01, 500.0)
"""Certified eps and natural reward that were aimed at."""


def draw(folder: Path) -> str:
    """An SVG: a mark for each record of a folder, named by its trial.

    Raises:
        FileNotFoundError: the folder holds no record.
    """
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    if not records:
        raise FileNotFoundError(f"{folder} holds no record of a trial")

    def paint(ax: Axes) -> None:
        for index, record in enumerate(records):
            _mark(ax, index, record)
        ax.plot(*AIM, marker="*", linestyle="", color=light("alarm"), label="aim")
        ax.set(xlabel="indicated eps", ylabel="natural reward", xlim=(0.0, None))
        ax.legend(fontsize="small")

    return standalone(
        picture(paint, "Reward against the radius that a certificate may hold", FRAME)
    )


def _mark(ax: Axes, index: int, record: dict[str, Any]) -> None:
    ax.plot(
        record["indicated_eps"],
        record["reward"],
        marker=MARKERS[index % len(MARKERS)],
        color=light(series(index)),
        linestyle="",
        label=f"{record['trial']}, seed {record['seed']}",
    )
