"""Seen from above: where the agent went, and where it should not have been."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from markupsafe import Markup

from safer_gym.conformance.evaluate.outcomes import Outcomes, Trace
from safer_gym.conformance.figures.canvas import bare
from safer_gym.conformance.figures.ground import paint_path
from safer_gym.conformance.figures.theme import light
from safer_gym.conformance.report.content import Content
from safer_gym.conformance.report.templates import drawn
from safer_gym.wrappers.tasks import TaskGeometry

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 260
ROOM = 0.7
"""Around all that is shown, in the units of the plane."""


class Span(NamedTuple):
    """The values that an axis shows."""

    low: float
    high: float


class View:
    """The part of the plane that a picture shows, with the task's limits.

    Args:
        geometry: The task's limits.
        traces: All episodes of the report, so that its maps have one scale.
    """

    def __init__(self, geometry: TaskGeometry, traces: Sequence[Trace]) -> None:
        self.geometry = geometry
        points = np.concatenate([t.positions for t in traces])
        reach = geometry.circle_radius or 0.0
        sides = max(geometry.x_limit or 0.0, reach), max(geometry.y_limit or 0.0, reach)
        low = np.minimum(points.min(0), [-side for side in sides]) - ROOM
        high = np.maximum(points.max(0), sides) + ROOM
        self.x, self.y = Span(low[0], high[0]), Span(low[1], high[1])

    def aspect(self) -> float:
        """Height over width."""
        return (self.y.high - self.y.low) / (self.x.high - self.x.low)


def maps(content: Content) -> list[tuple[str, list[tuple[str, Markup]]]]:
    """For each policy, its name and a captioned map of each attack at its largest radius."""
    if content.geometry is None:
        return []
    shown = {s.name: _shown(content, i) for i, s in enumerate(content.subjects)}
    traces = [t for outcomes in shown.values() for o in outcomes for t in o.traces]
    traces = [t for t in traces if t.positions.shape[1] == 2]
    if not traces:
        return []
    view = View(content.geometry, traces)
    return [
        (name, [(_caption(o), _map(o, view, f"{name}, {o.attack}")) for o in outcomes])
        for name, outcomes in shown.items()
    ]


def _map(outcome: Outcomes, view: View, label: str) -> Markup:
    def paint(ax: Axes) -> None:
        _limits(ax, view)
        for trace in outcome.traces:
            paint_path(ax, trace.positions, trace.costs)
        ax.set(xlim=view.x, ylim=view.y, aspect="equal")
        ax.axis("off")

    return drawn(paint, label, bare(WIDTH, WIDTH * view.aspect()))


def _limits(ax: Axes, view: View) -> None:
    """Where the agent should not be, and the circle that it should follow."""
    geometry = view.geometry
    for limit, span, across, shade in (
        (geometry.x_limit, view.x, ax.axvline, ax.axvspan),
        (geometry.y_limit, view.y, ax.axhline, ax.axhspan),
    ):
        for side, edge in ((-limit, span.low), (limit, span.high)) if limit is not None else ():
            shade(side, edge, color=light("alarm"), alpha=0.08, linewidth=0)
            across(side, color=light("alarm"), linewidth=1.3, linestyle="--")
    if geometry.circle_radius is not None:
        angle = np.linspace(0.0, 2 * np.pi, 100)
        circle = geometry.circle_radius * np.stack([np.cos(angle), np.sin(angle)])
        ax.plot(*circle, color=light("muted"), linewidth=1, linestyle=(0, (1, 3)))


def _shown(content: Content, index: int) -> list[Outcomes]:
    subject = content.subjects[index]
    found = [subject.natural(), *(subject.hardest(attack) for attack in content.attacks())]
    return [outcome for outcome in found if outcome is not None]


def _caption(outcome: Outcomes) -> str:
    if outcome.eps == 0.0:
        return f"no attack: cost {outcome.mean_cost:.1f}"
    return f"{outcome.attack.upper()}, ε = {outcome.eps:g}: cost {outcome.mean_cost:.1f}"
