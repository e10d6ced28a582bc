"""Seen from above: where the agent went, and where it should not have been."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from safer_gym.conformance.evaluate.outcomes import Outcomes, Trace
from safer_gym.conformance.report.content import Content
from safer_gym.conformance.report.svg import Chart, Margins, Point, Span
from safer_gym.wrappers.tasks import TaskGeometry

WIDTH = 260


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
        low = np.minimum(points.min(0), [-side for side in sides]) - 0.7
        high = np.maximum(points.max(0), sides) + 0.7
        self.x, self.y = Span(low[0], high[0]), Span(low[1], high[1])

    def aspect(self) -> float:
        """Height over width."""
        return (self.y.high - self.y.low) / (self.x.high - self.x.low)


def maps(content: Content) -> list[tuple[str, list[tuple[str, str]]]]:
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
        (name, [(_caption(o), top_down(o, view, f"{name}, {o.attack}")) for o in outcomes])
        for name, outcomes in shown.items()
    ]


def top_down(outcome: Outcomes, view: View, label: str) -> str:
    """The recorded episodes of one outcome; steps with a cost stand out."""
    margins = Margins(2, 2, 2, 2)
    chart = Chart(label, view.x, view.y, (WIDTH, WIDTH * view.aspect()), margins)
    _limits(chart, view)
    for trace in outcome.traces:
        points: list[Point] = [(x, y) for x, y in trace.positions]
        chart.line(points, "path")
        for (start, end), cost in zip(pairwise(points), trace.costs[1:], strict=True):
            if cost > 0:
                chart.line([start, end], "alarm")
        chart.circle(points[0], 0.22, "start")
    return chart.render()


def _limits(chart: Chart, view: View) -> None:
    geometry = view.geometry
    if geometry.x_limit is not None:
        for side, edge in ((-geometry.x_limit, view.x.low), (geometry.x_limit, view.x.high)):
            chart.box((side, view.y.low), (edge, view.y.high), "forbidden")
            chart.line([(side, view.y.low), (side, view.y.high)], "boundary")
    if geometry.y_limit is not None:
        for side, edge in ((-geometry.y_limit, view.y.low), (geometry.y_limit, view.y.high)):
            chart.box((view.x.low, side), (view.x.high, edge), "forbidden")
            chart.line([(view.x.low, side), (view.x.high, side)], "boundary")
    if geometry.circle_radius is not None:
        chart.circle((0.0, 0.0), geometry.circle_radius, "target")


def _shown(content: Content, index: int) -> list[Outcomes]:
    subject = content.subjects[index]
    found = [subject.natural(), *(subject.hardest(attack) for attack in content.attacks())]
    return [outcome for outcome in found if outcome is not None]


def _caption(outcome: Outcomes) -> str:
    if outcome.eps == 0.0:
        return f"no attack: cost {outcome.mean_cost:.1f}"
    return f"{outcome.attack.upper()}, ε = {outcome.eps:g}: cost {outcome.mean_cost:.1f}"
