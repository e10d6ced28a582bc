"""How far a radius is withstood and certified: a bar for each kind of evidence, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from safer_gym.conformance.figures.canvas import Frame
from safer_gym.conformance.figures.svg import tip
from safer_gym.conformance.figures.theme import light
from safer_gym.conformance.formatting import radius

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 0.34
"""Of a bar, in rows."""
AXIS, ROW = 36.0, 46.0
"""Pixels of the axis and of each row."""


class Bar(NamedTuple):
    """One kind of evidence."""

    name: str
    role: str
    """Its colour."""
    holds: float | None
    """The largest radius at which it holds; None: at none that was tried."""
    broken: float | None = None
    """The smallest radius at which it is refuted; None: at none that was tried."""
    absent: str = "none"
    """What is said where it holds at no radius."""


def radius_frame(bars: int) -> Frame:
    """The frame of a figure of so many bars."""
    return Frame(380.0, AXIS + ROW * bars, 8.0, 12.0, 2.0, AXIS - 2.0)


def paint_radii(ax: Axes, bars: Sequence[Bar], tried: Sequence[float]) -> None:
    """Each bar's name above it, the first on top; a cross where it is refuted.

    Args:
        ax: where to paint.
        bars: what holds up to which radius.
        tried: all radii; the largest is the end of the scale.
    """
    top = 1.06 * max(tried)
    for row, bar in enumerate(reversed(bars)):
        if bar.holds:
            (drawn,) = ax.barh(row + 0.26, bar.holds, HEIGHT, color=light(bar.role))
            tip(drawn, f"{bar.name}: {radius(bar.holds)}")
        if bar.broken is not None:
            (cross,) = ax.plot(
                [bar.broken], [row + 0.26], "X", color=light("alarm"), markersize=10, clip_on=False
            )
            tip(cross, f"refuted at {radius(bar.broken)}")
        ax.text(0.0, row + 0.26 + HEIGHT / 2 + 0.07, _words(bar), color=light("ink"))
    ax.hlines(range(len(bars)), 0.0, top, light("rule"), linewidth=1)
    ax.set(xlim=(0.0, top), ylim=(-0.02, len(bars)), yticks=[], xlabel="radius ε")
    ax.set_xticks([0.0, *_apart(tried, top)])
    ax.xaxis.set_major_formatter(lambda value, _: radius(value) if value else "0")
    ax.grid(False)


def _words(bar: Bar) -> str:
    holds = bar.absent if bar.holds is None else radius(bar.holds)
    broken = "" if bar.broken is None else f", refuted at {radius(bar.broken)}"
    return f"{' '.join(bar.name.split())}: {holds}{broken}"


def _apart(tried: Sequence[float], top: float) -> list[float]:
    """Radii whose labels have room, the largest first."""
    kept: list[float] = []
    for eps in sorted(set(tried), reverse=True):
        if eps > 0.12 * top and all(other - eps > 0.12 * top for other in kept):
            kept.append(eps)
    return kept
