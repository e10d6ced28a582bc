"""Figure 2: the highest reward so far against the cumulative cost of training, log scale."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from experiments.harness.records import Record, select
from experiments.safer.paper import FIGURE_METHODS
from experiments.safer.tables import NOT_RUN
from safer_gym.conformance.report.charts import series
from safer_gym.conformance.report.svg import Chart, Span, mark, short, span_of

SIZE = (720.0, 330.0)
ROOM = 0.04
"""Decades to the left and right of the curves."""
FEW_DECADES = 2.5
"""Up to which 2 and 5 times a power of ten have ticks, too."""


def frontier(record: Record) -> NDArray[np.float64]:
    """Rows (cumulative cost, highest reward so far) of one run [n, 2]; empty without costs."""
    rows = [
        (row["total_cost"], row["ep_rew_mean"])
        for row in record.curve()
        if not np.isnan(row.get("total_cost", np.nan))
    ]
    points = np.array(rows, dtype=np.float64).reshape(-1, 2)
    points[:, 1] = np.maximum.accumulate(points[:, 1]) if len(points) else points[:, 1]
    return points


def cost_to_reach(
    one: Sequence[Record], other: Sequence[Record], share: float
) -> tuple[float, float, float] | None:
    """A reward that two methods reach, and the cumulative cost that each has paid by then.

    The reward is `share` of the lower of their highest rewards (mean over seeds); the costs are
    medians over seeds, infinite for a seed that never gets there. None: no costs were recorded.
    """
    curves = [[c for c in map(frontier, group) if len(c)] for group in (one, other)]
    if not all(curves):
        return None
    level = share * min(float(np.mean([curve[-1, 1] for curve in group])) for group in curves)
    first, second = (float(np.median([_cost_at(c, level) for c in group])) for group in curves)
    return level, first, second


def _cost_at(curve: NDArray[np.float64], level: float) -> float:
    reached = curve[curve[:, 1] >= level, 0]
    return float(reached[0]) if len(reached) else np.inf


def figure(records: Sequence[Record], task: str) -> str:
    """The SVG of one task; "" where no run recorded its costs."""
    curves = [
        (index, curve)
        for index, method in enumerate(FIGURE_METHODS)
        for curve in map(frontier, select(records, task, method))
        if len(curve)
    ]
    if not curves:
        return ""
    everything = np.concatenate([curve for _, curve in curves])
    costs = np.log10(np.maximum(everything[:, 0], 1.0))
    x = Span(float(costs.min()) - ROOM, float(costs.max()) + ROOM)
    chart = Chart(
        "Highest reward so far against cumulative cost",
        x,
        span_of(everything[:, 1].tolist(), low=min(0.0, float(everything[:, 1].min()))),
        size=SIZE,
    )
    chart.axes("Highest reward so far", "cumulative cost of training, log scale", x_ticks=False)
    for cost in log_ticks(x):
        at = float(np.log10(cost))
        chart.line([(at, chart.y.low), (at, chart.y.high)], "grid")
        chart.text((at, chart.y.low), short(cost), "middle", shift=(0, 17))
    for index, curve in curves:
        points = [(float(np.log10(max(cost, 1.0))), float(reward)) for cost, reward in curve]
        chart.line(points, series(index))
        chart.marker(points[-1], series(index), index)
    return chart.render()


def log_ticks(span: Span) -> list[float]:
    """Round values whose logarithms lie inside the span.

    >>> log_ticks(Span(2.6, 4.1)), log_ticks(Span(0.0, 3.0))
    ([500, 1000, 2000, 5000, 10000], [1, 10, 100, 1000])
    """
    steps = (1, 2, 5) if span.high - span.low < FEW_DECADES else (1,)
    powers = range(int(np.floor(span.low)), int(np.ceil(span.high)) + 1)
    values = [step * 10**power for power in powers for step in steps]
    return [value for value in values if span.low <= np.log10(value) <= span.high]


def key(records: Sequence[Record], task: str) -> str:
    """The figure's methods beside their marks; those that have no curve say so."""
    items = []
    for index, method in enumerate(FIGURE_METHODS):
        found = select(records, task, method)
        runs = [r for r in found if len(frontier(r))]
        missing = "its costs were not recorded" if found else NOT_RUN
        words = f"{len(runs)} seed{'s' if len(runs) != 1 else ''}" if runs else missing
        items.append(
            f'<li><svg viewBox="-7 -7 14 14" width="14" height="14" aria-hidden="true">'
            f"{mark(index, series(index))}</svg>{escape(method)}"
            f'<span class="muted">{words}</span></li>'
        )
    return f'<ul class="legend">{"".join(items)}</ul>'
