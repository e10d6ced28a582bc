"""The sandwich as columns: what was reached, what can not be reached, and what nobody knows.

One column for each radius, from bottom to top:
  reached   an attack gets this far, or the policy does alone
  open      between the ends under the attacks: more episodes would tell
  unproved  the attacks stay below; another adversary may get here
  barred    no adversary in the ball gets here
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from safer_gym.conformance.report.certificate.numbers import amount, percent, radius
from safer_gym.conformance.report.certificate.view import (
    Data,
    decisions_of,
    every_of,
    rows_of,
)
from safer_gym.conformance.report.svg import Chart, Margins, Span

ZONES = (
    ("reached", "shown to be reached"),
    ("open", "more episodes would tell"),
    ("unproved", "the attacks stay below; another adversary may get here"),
    ("barred", "no adversary gets here"),
)
WIDTH = 0.62
"""Of a column, in columns."""
FEWEST = 5
"""Columns that a chart has room for at least; fewer stand in its middle."""


class Column(NamedTuple):
    """The three ends of one sandwich; None where there is no bound."""

    eps: float
    lower: float
    attacks: float | None
    every: float | None

    def cuts(self, top: float) -> tuple[float, float, float, float]:
        """Where the zones end, from below; bounds that cross leave no zone between them."""
        lower = min(self.lower, top)
        attacks = min(max(self.attacks if self.attacks is not None else top, lower), top)
        every = min(max(self.every if self.every is not None else top, lower), top)
        return lower, min(attacks, every), every, top


def columns_of(certificate: Data, mode: str, metric: str) -> list[Column]:
    """The sandwiches of one metric of the policy in one mode, by growing radius."""
    found = []
    for row in rows_of(certificate, mode):
        ends = row[metric]
        every = every_of(ends)
        value = None if every is None or every["vacuous"] else every["value"]
        under = ends["upper_attacks"]
        attacks = None if under["vacuous"] else under["value"]
        found.append(Column(row["eps"], ends["lower"]["value"], attacks, value))
    return found


def says_something(columns: Sequence[Column]) -> bool:
    """Whether any end of any sandwich is more than trivial."""
    return any(c.lower > 0 or c.attacks is not None or c.every is not None for c in columns)


def sandwich_chart(certificate: Data, mode: str, metric: str) -> str:
    """An SVG of one metric over the radii, with the requirements on it."""
    columns = columns_of(certificate, mode, metric)
    rate = metric == "rate"
    what = f"P(cost > {certificate['limit']:g})" if rate else "Mean cost of an episode"
    top = (
        1.0
        if rate
        else _top(columns, [d["bound"] for d in decisions_of(certificate, mode, metric)])
    )
    chart = Chart(
        f"{what} of the {mode} policy, by radius",
        _room(len(columns)),
        Span(0.0, top),
        margins=Margins(46, 10, 30, 42),
    )
    _axes(chart, what, columns, rate)
    for i, column in enumerate(columns):
        _draw(chart, i, column, top, rate)
    for decision in decisions_of(certificate, mode, metric):
        _mark(chart, columns, decision, top)
    return chart.render()


def _room(count: int) -> Span:
    spare = max(FEWEST - count, 0) / 2
    return Span(-spare, count + spare)


def _axes(chart: Chart, title: str, columns: Sequence[Column], rate: bool) -> None:
    chart.axes(title, "radius ε", x_ticks=False, y_label=_percent_tick if rate else None)
    for i, column in enumerate(columns):
        chart.text((i + 0.5, 0.0), radius(column.eps), "middle", shift=(0, 17))


def _draw(chart: Chart, i: int, column: Column, top: float, rate: bool) -> None:
    words = percent if rate else amount
    below = 0.0
    for (zone, meaning), above in zip(ZONES, column.cuts(top), strict=True):
        if above > below:
            span = f"{words(below)} to {words(above)}"
            left, right = i + (1 - WIDTH) / 2, i + (1 + WIDTH) / 2
            tip = f"ε = {column.eps:g}, {span}: {meaning}"
            chart.box((left, below), (right, above), f"zone {zone}", title=tip)
        below = max(below, above)


def _mark(chart: Chart, columns: Sequence[Column], decision: Data, top: float) -> None:
    """A requirement's bound, across the column of its radius."""
    height = min(decision["bound"], top)
    for i, column in enumerate(columns):
        if math.isclose(column.eps, decision["eps"], rel_tol=1e-9):
            chart.line([(i + 0.06, height), (i + 0.94, height)], "required")


def _top(columns: Sequence[Column], bounds: Sequence[float]) -> float:
    ends = [end for c in columns for end in (c.lower, c.attacks, c.every) if end is not None]
    return 1.15 * max([*ends, *bounds], default=0.0) or 1.0


def _percent_tick(value: float) -> str:
    return f"{100 * value:g} %"


def legend(*, required: bool) -> str:
    """The zones and, if there are requirements, their mark, in words."""
    items = "".join(
        f'<li><svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">'
        f'<rect class="zone {zone}" width="14" height="14"/></svg>{escape(meaning)}</li>'
        for zone, meaning in reversed(ZONES)
    )
    mark = (
        ""
        if not required
        else (
            '<li><svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">'
            '<polyline class="line required" points="0,7 14,7"/></svg>what was required</li>'
        )
    )
    return f'<ul class="legend">{items}{mark}</ul>'
