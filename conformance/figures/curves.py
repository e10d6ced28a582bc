"""Curves over environment steps, and the line of a limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from numpy.typing import NDArray

from safer_gym.conformance.figures.theme import light
from safer_gym.conformance.formatting import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = Sequence[float] | NDArray


def paint_curve(
    ax: Axes, steps: Values, values: Values, role: str, band: tuple[Values, Values] | None = None
) -> None:
    """A curve in the colour of a role, and the band between a lower and an upper curve."""
    if band is not None:
        ax.fill_between(steps, *band, color=light(role), alpha=0.2, linewidth=0)
    ax.plot(steps, values, color=light(role))
    ax.set(xlabel="environment steps", xlim=(0.0, None))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda value, _: short(value))


def paint_limit(ax: Axes, limit: float, side: Literal["left", "right", ""] = "") -> None:
    """A dashed line at the cost limit, with its name at the side where the curves are low."""
    ax.axhline(limit, color=light("alarm"), linewidth=1.3, linestyle="--")
    ax.update_datalim([(0.0, 1.2 * limit)], updatex=False)
    if side:
        at, shift = (0.0, 4) if side == "left" else (1.0, -4)
        ax.annotate(
            "cost limit",
            (at, limit),
            (shift, 3),
            ax.get_yaxis_transform(),
            "offset points",
            ha=side,
            fontsize="small",
        )
