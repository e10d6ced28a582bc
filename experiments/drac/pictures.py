"""The learned set beside the exact one, and trajectories with and without an attack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.drac.learned_set import NAMES, SLICES, exact_set, from_bits, slice_of
from experiments.drac.methods import SHIELDED
from experiments.drac.numbers import runs_of
from experiments.drac.oracle import GridSet
from experiments.harness.records import Record
from safer_gym.conformance.figures.canvas import Frame, grid
from safer_gym.conformance.figures.theme import light

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRAME = Frame(340.0, 300.0, left=52.0)
ATTACKED = "safety response"
LEGEND = (
    "Filled: the exact robust invariant set. Outlined: the learned one. Thin lines: trajectories "
    "without a disturbance; thick ones: under the safety adversary that answers the policy."
)
AXES = {
    **NAMES,
    "racing-car": ("distance across the road (m)", "angle to it (rad)"),
    "walker2d": ("height of the torso (m)", "speed (m/s)"),
}


def paint_set(ax: Axes, exact: GridSet, learned: GridSet | None) -> None:
    """Two sets of states in one plane: the exact one filled, the learned one outlined."""
    x, y = (np.linspace(-h, h, n) for h, n in zip(exact.half, exact.inside.shape, strict=True))
    ax.contourf(x, y, exact.inside.T.astype(float), [0.5, 1.5], colors=[light("barred")])
    if learned is not None and learned.inside.any() and not learned.inside.all():
        ax.contour(
            x, y, learned.inside.T.astype(float), [0.5], colors=[light("s1")], linewidths=2.0
        )


def paint_paths(ax: Axes, evaluation: dict[str, Any]) -> None:
    """Trajectories without an attack, and under the adversary that learned against the policy."""
    looks = {"natural": (light("muted"), 1.0), ATTACKED: (light("alarm"), 1.8)}
    for attack, (colour, width) in looks.items():
        for path in evaluation.get(attack, {}).get("paths", ()):
            ax.plot(*np.array(path).T, color=colour, linewidth=width)
            ax.plot(*path[0], "o", markersize=4, color=light("ink"))


def picture_of(records: Sequence[Record], task: str, rows: Sequence[str]) -> str:
    """One phase plane for each row that has a run: the first seed's; "" where none has."""
    exact = exact_set(task)
    plane = None if exact is None else slice_of(exact, SLICES[task])
    found = [(row, runs[0]) for row in rows if (runs := runs_of(records, task, row))]
    paints = [_panel(row, record, task, plane) for row, record in found]
    label = f"Learned and exact safe sets, and trajectories, on {task}"
    return grid(paints, label, min(len(paints), 3), FRAME) if paints else ""


def _panel(row: str, record: Record, task: str, plane: GridSet | None) -> Any:
    def paint(ax: Axes) -> None:
        if plane is not None:
            bits = record.data.get("set", {}).get("slice")
            paint_set(ax, plane, None if bits is None else from_bits(bits, plane))
        shown = "evaluation_shield" if row == SHIELDED else "evaluation"
        paint_paths(ax, record.data[shown])
        xlabel, ylabel = AXES[task]
        ax.set(title=f"{row}, seed {record.seed}", xlabel=xlabel, ylabel=ylabel)
        ax.grid(False)

    return paint
