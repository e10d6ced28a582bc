"""The report's charts: reward and cost against the radius, and while learning."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from markupsafe import Markup

from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.figures.curves import paint_curve, paint_limit
from safer_gym.conformance.figures.theme import MARKERS, light, series
from safer_gym.conformance.formatting import short
from safer_gym.conformance.report.content import Content, Subject
from safer_gym.conformance.report.sentences import told_by
from safer_gym.conformance.report.templates import drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METRICS = {"cost": "costs", "reward": "returns"}
"""What is drawn, and the outcomes' field."""
ROOM = 1.06
"""Above the highest value."""


def attack_charts(content: Content) -> list[Markup]:
    """Cost, then reward, against the radius: one chart for each attack, on one scale a metric."""
    return [
        drawn(
            partial(_paint, content=content, metric=metric, attack=attack, view=view),
            f"{metric.capitalize()} against the radius of {attack}",
        )
        for metric, view in ((metric, _view(content, metric)) for metric in METRICS)
        for attack in content.attacks()
    ]


def learning_charts(subject: Subject, cost_limit: float, index: int) -> list[Markup]:
    """Reward and cost of training episodes against environment steps."""
    steps = [row.timesteps for row in subject.curve]

    def reward(ax: Axes) -> None:
        paint_curve(ax, steps, [row.ep_rew_mean for row in subject.curve], series(index))
        ax.set(title="Reward while training")

    def cost(ax: Axes) -> None:
        paint_limit(ax, cost_limit, "right")
        paint_curve(ax, steps, [row.ep_cost_mean for row in subject.curve], series(index))
        ax.set(title="Cost while training", ylim=(0.0, None))

    return [
        drawn(reward, f"Reward while training: {subject.name}"),
        drawn(cost, f"Cost while training: {subject.name}"),
    ]


def _view(content: Content, metric: str) -> dict[str, tuple[float, float]]:
    """The spans of the axes, which hold everything that was measured."""
    everything = [o for subject in content.subjects for o in subject.outcomes]
    eps = max((o.eps for o in everything), default=0.0)
    ends = [end for o in everything for end in _bar(o, metric)]
    high = max([0.0, *ends, content.cost_limit * 1.2 if metric == "cost" else 0.0])
    return {"xlim": (-0.02 * eps, ROOM * eps), "ylim": (min([0.0, *ends]), ROOM * high or 1.0)}


def _paint(
    ax: Axes, content: Content, metric: str, attack: str, view: dict[str, tuple[float, float]]
) -> None:
    ax.set(title=f"{metric.capitalize()} under {told_by(attack).title}", xlabel="radius ε", **view)
    ax.xaxis.set_major_formatter(lambda value, _: short(value))
    if metric == "cost":
        paint_limit(ax, content.cost_limit, "left")
    for i, subject in enumerate(content.subjects):
        _plot(ax, subject.under(attack), metric, i)


def _plot(ax: Axes, outcomes: list[Outcomes], metric: str, index: int) -> None:
    """A policy's line, with a bar of the standard deviation at each radius."""
    ax.errorbar(
        [o.eps for o in outcomes],
        [float(getattr(o, METRICS[metric]).mean()) for o in outcomes],
        [float(getattr(o, METRICS[metric]).std()) for o in outcomes],
        color=light(series(index)),
        marker=MARKERS[index % len(MARKERS)],
    )


def _bar(outcome: Outcomes, metric: str) -> tuple[float, float]:
    values = getattr(outcome, METRICS[metric])
    return float(values.mean() - values.std()), float(values.mean() + values.std())
