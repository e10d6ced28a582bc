"""The report's charts: reward and cost against the radius, and while learning."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.report.content import Content, Subject
from safer_gym.conformance.report.svg import Chart, Point, mark, span_of

ATTACK_TITLES = {"mc": "Maximum Cost", "mr": "Maximum Reward"}


def series(index: int) -> str:
    """The CSS class of the policy at `index`."""
    return f"s{index % 4}"


def attack_title(attack: str) -> str:
    """How an attack is called in headings."""
    return f"{ATTACK_TITLES[attack]} attack" if attack in ATTACK_TITLES else f"{attack} attack"


def legend(content: Content) -> str:
    """Names of the policies beside their marks."""
    items = "".join(
        f'<li><svg viewBox="-7 -7 14 14" width="14" height="14" aria-hidden="true">'
        f"{mark(i, series(i))}</svg>{escape(subject.name)}</li>"
        for i, subject in enumerate(content.subjects)
    )
    return f'<ul class="legend">{items}</ul>'


def attack_charts(content: Content) -> list[str]:
    """Cost, then reward, against the radius: one chart for each attack."""
    everything = [o for subject in content.subjects for o in subject.outcomes]
    eps = span_of([o.eps for o in everything], low=0.0)
    costs = span_of([_top(o.costs) for o in everything], [content.cost_limit * 1.2], low=0.0)
    rewards = span_of([_top(o.returns) for o in everything], low=_floor(everything))
    charts = []
    for quantity, span in (("cost", costs), ("reward", rewards)):
        for attack in content.attacks():
            title = f"{quantity.capitalize()}, {attack_title(attack)}"
            chart = Chart(f"{title}, against its radius", eps, span)
            chart.axes(title, "radius ε")
            if quantity == "cost":
                _limit(chart, content.cost_limit)
            for i, subject in enumerate(content.subjects):
                _plot(chart, subject.under(attack), quantity, i)
            charts.append(chart.render())
    return charts


def learning_charts(subject: Subject, cost_limit: float, index: int) -> list[str]:
    """Reward and cost of training episodes against environment steps."""
    steps = [row.timesteps for row in subject.curve]
    rewards = [row.ep_rew_mean for row in subject.curve]
    costs = [row.ep_cost_mean for row in subject.curve]
    charts = []
    for title, values in (("Reward while training", rewards), ("Cost while training", costs)):
        low = 0.0 if values is costs else None
        extra = [cost_limit * 1.2] if values is costs else []
        chart = Chart(
            f"{title}: {subject.name}", span_of(steps, low=0.0), span_of(values, extra, low=low)
        )
        chart.axes(title, "environment steps")
        if values is costs:
            _limit(chart, cost_limit, right=True)
        chart.line(list(zip(steps, values, strict=True)), series(index))
        charts.append(chart.render())
    return charts


def _plot(chart: Chart, outcomes: Sequence[Outcomes], quantity: str, index: int) -> None:
    points: list[Point] = []
    for outcome in outcomes:
        values = outcome.costs if quantity == "cost" else outcome.returns
        mean, error = float(values.mean()), _standard_error(values)
        points.append((outcome.eps, mean))
        chart.line([(outcome.eps, mean - error), (outcome.eps, mean + error)], series(index))
    chart.line(points, series(index))
    for point in points:
        chart.marker(point, series(index), index)


def _limit(chart: Chart, cost_limit: float, *, right: bool = False) -> None:
    """The limit's line; its name stands where the curves are low."""
    chart.line([(chart.x.low, cost_limit), (chart.x.high, cost_limit)], "limit")
    if right:
        chart.text((chart.x.high, cost_limit), "cost limit", "end small", shift=(0, -5))
    else:
        chart.text((chart.x.low, cost_limit), "cost limit", "small", shift=(8, -5))


def _standard_error(values: np.ndarray) -> float:
    return float(values.std() / np.sqrt(len(values)))


def _top(values: np.ndarray) -> float:
    return float(values.mean()) + _standard_error(values)


def _floor(outcomes: Sequence[Outcomes]) -> float:
    lowest = min(o.mean_return - _standard_error(o.returns) for o in outcomes)
    return min(0.0, lowest)
