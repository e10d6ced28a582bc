"""Figures 1 and 4 of the priors, 5 to 9 of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.harness.records import Record, select
from experiments.skills.methods import PRIORS
from experiments.skills.tables import in_order, rows_with_runs
from safer_gym.conformance.figures.canvas import Frame, grid
from safer_gym.conformance.figures.theme import light, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRAME = Frame(380.0, 280.0, left=58.0, bottom=40.0)
WINDOW = 1000
"""Steps that a rate of violations is counted over."""
CAPTIONS = {
    "priors": "Left, Figure 1: unsafe share among the likeliest held-out steps; thin lines are "
    "seeds. Right, Figure 4: unsafe share of roll-outs with z a truncated Gaussian against the "
    "bound; dots are roll-outs, below the line the bound holds.",
    "training": "Left, Figure 6: violations so far. Right, Figures 7 to 9: violations in the last "
    "1,000 steps. Means over seeds.",
}


def priors_picture(priors: Sequence[dict[str, Any]]) -> str:
    """Figures 1 and 4; "" without a prior."""
    found = in_order(priors)
    if not found:
        return ""
    paints = [partial(_paint_likely, found), partial(_paint_bounds, found)]
    return grid(paints, "Unsafe share among likely actions, and within bounds", 2, FRAME)


def _paint_likely(priors: Sequence[dict[str, Any]], ax: Axes) -> None:
    for prior in priors:
        shares = prior["unsafe_among_likely"]
        kind = list(PRIORS).index(prior["prior"])
        ax.plot(
            [100 * float(top) for top in shares], [100 * share for share in shares.values()],
            color=light(series(kind)), linewidth=1.2,
            label=prior["prior"] if prior["seed"] == 0 else None,
        )  # fmt: skip
    ax.set(title="Figure 1", xlabel="likeliest steps (%)", ylabel="unsafe (%)")
    ax.legend(frameon=False, fontsize="small")


def _paint_bounds(priors: Sequence[dict[str, Any]], ax: Axes) -> None:
    shown = [name for name in PRIORS if name.startswith(("PARROT", "SkillSAFER"))]
    for prior in priors:
        kind = list(PRIORS).index(prior["prior"])
        if prior["prior"] not in (shown[0], "SkillSAFER", "SkillSAFER-onset"):
            continue
        for bound, part in prior["calibration"]["truncated"].items():
            if part is not None:
                at = 100 * float(bound) + kind - 1.5
                shares = 100 * np.array(part["unsafe"])
                ax.plot([at] * len(shares), shares, ".", color=light(series(kind)), markersize=4)
    ax.plot([0, 50], [0, 50], color=light("muted"), linewidth=1.0)
    ax.set(title="Figure 4", xlabel="bound on unsafe actions (%)", ylabel="unsafe (%)")


def training_picture(records: Sequence[Record], task: str) -> str:
    """Violations over training; "" without a run."""
    names = [n for n in rows_with_runs(records, task) if select(records, task, n)]
    curves = {name: _violations(select(records, task, name)) for name in names}
    known = {name: curve for name, curve in curves.items() if curve is not None}
    if not known:
        return ""
    paints = [partial(_paint_total, known), partial(_paint_rate, known)]
    return grid(paints, f"Violations in training on {task}", 2, FRAME)


def _violations(records: Sequence[Record]) -> tuple[NDArray, NDArray] | None:
    """Steps [n], and violations so far, mean over seeds [n]."""
    curves = [record.curve() for record in records if record.curve()]
    if not curves:
        return None
    steps = np.array([row["timesteps"] for row in curves[0]])
    totals = [
        np.interp(steps, [r["timesteps"] for r in rows], [r["total_cost"] for r in rows])
        for rows in curves
    ]
    return steps, np.mean(totals, axis=0)


def _paint_total(curves: dict[str, tuple[NDArray, NDArray]], ax: Axes) -> None:
    for number, (name, (steps, total)) in enumerate(curves.items()):
        ax.plot(steps, total, color=light(series(number)), linestyle=_line(number), label=name)
    ax.set(title="Figure 6", xlabel="environment steps", ylabel="violations so far")
    ax.legend(frameon=False, fontsize="small")


def _paint_rate(curves: dict[str, tuple[NDArray, NDArray]], ax: Axes) -> None:
    for number, (steps, total) in enumerate(curves.values()):
        before = np.interp(steps - WINDOW, steps, total, left=0.0)
        ax.plot(steps, total - before, color=light(series(number)), linestyle=_line(number))
    ax.set(title="Figure 7", xlabel="environment steps", ylabel="violations in 1,000 steps")


def _line(number: int) -> str:
    return "-" if number < 6 else "--"
