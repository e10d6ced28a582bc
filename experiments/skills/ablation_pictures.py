"""Figures 5, 8 and 9: the bound, the safety variable, and unsafe data."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.harness.records import Record
from experiments.skills.methods import bound_of
from experiments.skills.numbers import Numbers, numbers
from experiments.skills.pictures import FRAME, Curve, curves_of, line_of, paint_rate
from safer_gym.conformance.figures.canvas import Paint, grid
from safer_gym.conformance.figures.theme import light, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COMPARED = {
    "Figure 8": ("SkillSAFER", "SkillSAFER(no c)"),
    "Figure 9": ("PARROT", "PARROT(unsafe data)"),
}
CAPTION = (
    "Figure 5: success of the last policies and violations in training by the bound on z; dots are "
    "seeds, the line is their mean. Figure 8: SkillSAFER with and without the safety variable. "
    "Figure 9: PARROT trained without and with unsafe data. Returns (-1 a step, until the object "
    "is out) are means of the last 100 episodes; all curves are means over seeds."
)


def ablated(records: Sequence[Record], task: str) -> bool:
    """Whether there is anything to draw."""
    return bool(_paints(records, task))


def ablations_picture(records: Sequence[Record], task: str) -> str:
    """What has runs; "" where nothing has."""
    paints = _paints(records, task)
    return grid(paints, f"Ablations on {task}", 2, FRAME) if paints else ""


def _paints(records: Sequence[Record], task: str) -> list[Paint]:
    paints: list[Paint] = []
    swept = _swept(records, task)
    if swept:
        paints += [partial(_paint_bound, swept, number) for number in ("success", "violations")]
    for title, names in COMPARED.items():
        curves = curves_of(records, task, names)
        if set(curves) == set(names):
            paints += [partial(_paint_returns, curves, title), partial(paint_rate, curves, title)]
    return paints


def _swept(records: Sequence[Record], task: str) -> dict[float, list[Numbers]]:
    """By the bound, the smallest first."""
    names = {record.method for record in records if record.task == task}
    bounds = {eta: name for name in names if (eta := bound_of(name)) is not None}
    return {eta: numbers(records, task, bounds[eta]) for eta in sorted(bounds)}


def _paint_bound(swept: dict[float, list[Numbers]], number: str, ax: Axes) -> None:
    by = 100.0 if number == "success" else 1.0
    means = []
    for eta, found in swept.items():
        each = [by * getattr(one, number) for one in found]
        means.append(np.mean(each))
        ax.plot([eta] * len(each), each, ".", color=light("s0"))
    ax.plot(list(swept), means, color=light("s0"))
    label = "success (%)" if number == "success" else "violations in training"
    ax.set(title="Figure 5", xlabel="bound on z", ylabel=label, xscale="log")
    ax.set_xticks(list(swept), [f"{eta:g}" for eta in swept])
    ax.minorticks_off()


def _paint_returns(curves: dict[str, Curve], title: str, ax: Axes) -> None:
    for number, (name, curve) in enumerate(curves.items()):
        look: Any = {"color": light(series(number)), "linestyle": line_of(number)}
        ax.plot(curve.steps, curve.returns, label=name, **look)
    ax.set(title=title, xlabel="environment steps", ylabel="return")
    ax.legend(frameon=False, fontsize="small")
