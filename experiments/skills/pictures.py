"""Figures 1 and 4 of the priors, 6 and 7 of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.harness.records import Record, select
from experiments.skills.methods import LABELLED, METHODS, PRIORS
from experiments.skills.tables import in_order
from safer_gym.conformance.figures.canvas import Frame, grid
from safer_gym.conformance.figures.theme import light, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRAME = Frame(380.0, 280.0, left=58.0, bottom=40.0)
DRAWN = ("PARROT", "SkillSAFER", "SkillSAFER-onset")
"""Priors of Figure 4."""
WINDOW = 1000
"""Steps that a rate of violations is counted over."""
CAPTIONS = {
    "priors": "Figure 1: unsafe share among the likeliest held-out steps; lines are seeds. "
    "Figure 4: unsafe share of roll-outs against the bound, z a truncated Gaussian or uniform in "
    "the box; dots are roll-outs, dashes their means by seed; below the line the bound holds.",
    "training": "Left, Figure 6: violations so far. Right, Figure 7: violations in the last 1,000 "
    "steps. Means over seeds.",
}


def priors_picture(priors: Sequence[dict[str, Any]]) -> str:
    """Figures 1 and 4; "" without a prior."""
    found = in_order(priors)
    if not found:
        return ""
    bounds = [partial(_paint_bounds, found, draw) for draw in ("truncated", "uniform")]
    paints = [partial(_paint_likely, found), *bounds]
    return grid(paints, "Unsafe share among likely actions, and within bounds", 3, FRAME)


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


def _paint_bounds(priors: Sequence[dict[str, Any]], draw: str, ax: Axes) -> None:
    shown = [kind for kind in DRAWN if any(prior["prior"] == kind for prior in priors)]
    for number, kind in enumerate(shown):
        colour = light(series(list(PRIORS).index(kind)))
        for prior in (prior for prior in priors if prior["prior"] == kind):
            for bound, part in prior["calibration"][draw].items():
                if part is not None:
                    shares = 100 * np.array(part["unsafe"])
                    at = 100 * float(bound) + 1.5 * number - 1.5
                    ax.plot([at] * len(shares), shares, ".", color=colour, markersize=2)
                    ax.plot([at], [shares.mean()], "_", color=colour, markersize=12)
        ax.plot([], [], ".", color=colour, label=kind)
    ax.plot([0, 50], [0, 50], color=light("muted"), linewidth=1.0)
    title = f"Figure 4, z {'a truncated Gaussian' if draw == 'truncated' else 'uniform'}"
    ax.set(title=title, xlabel="bound on unsafe actions (%)", ylabel="unsafe (%)")
    ax.legend(frameon=False, fontsize="small")


def training_picture(records: Sequence[Record], task: str) -> str:
    """Violations over training, without the ablations; "" without a run."""
    curves = curves_of(records, task, [*METHODS, *LABELLED])
    if not curves:
        return ""
    paints = [partial(_paint_total, curves), partial(paint_rate, curves, "Figure 7")]
    return grid(paints, f"Violations in training on {task}", 2, FRAME)


class Curve(NamedTuple):
    """Of the trainings of one method, means over seeds [n]."""

    steps: NDArray
    violations: NDArray
    """So far."""
    returns: NDArray
    """Mean of the last 100 episodes."""


def curves_of(records: Sequence[Record], task: str, names: Sequence[str]) -> dict[str, Curve]:
    """Of those methods that have a run."""
    found = {}
    for name in names:
        runs = [record.curve() for record in select(records, task, name) if record.curve()]
        if runs:
            steps = np.array([row["timesteps"] for row in runs[0]])
            found[name] = Curve(
                steps, *(_mean(runs, steps, key) for key in ("total_cost", "ep_rew_mean"))
            )
    return found


def _mean(runs: Sequence[Sequence[dict[str, float]]], steps: NDArray, key: str) -> NDArray:
    known = [[(r["timesteps"], r[key]) for r in rows if not np.isnan(r[key])] for rows in runs]
    return np.mean([np.interp(steps, *np.array(points).T) for points in known], axis=0)


def _paint_total(curves: dict[str, Curve], ax: Axes) -> None:
    for number, (name, curve) in enumerate(curves.items()):
        look: Any = {"color": light(series(number)), "linestyle": line_of(number)}
        ax.plot(curve.steps, curve.violations, label=name, **look)
    ax.set(title="Figure 6", xlabel="environment steps", ylabel="violations so far")
    ax.legend(frameon=False, fontsize="small")


def paint_rate(curves: dict[str, Curve], title: str, ax: Axes) -> None:
    """Violations in the steps before."""
    for number, (steps, total, _) in enumerate(curves.values()):
        before = np.interp(steps - WINDOW, steps, total, left=0.0)
        ax.plot(steps, total - before, color=light(series(number)), linestyle=line_of(number))
    ax.set(title=title, xlabel="environment steps", ylabel="violations in 1,000 steps")


def line_of(number: int) -> str:
    """Of a curve; colours repeat after six."""
    return "-" if number < 6 else "--"
