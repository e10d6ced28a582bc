"""Learning curves: reward and cost of training episodes against environment steps, by method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.harness.records import Record, select
from experiments.safer.paper import table_methods
from safer_gym.conformance.report.svg import Chart, Margins, Span, side_by_side, span_of
from safer_gym.wrappers.tasks import COST_LIMIT

Array = NDArray[np.float64]
COLUMNS = {"ep_rew_mean": ("Reward", "s1"), "ep_cost_mean": ("Cost", "s0")}
SIZE, MARGINS = (300.0, 170.0), Margins(40, 12, 28, 36)
MOST_POINTS = 120
"""In a line; more can not be seen."""


class Joined(NamedTuple):
    """The curves of a method's seeds, at the steps that all of them have; each [n]."""

    steps: Array
    mean: Array
    low: Array
    high: Array


class Panel(NamedTuple):
    """A method's picture."""

    method: str
    seeds: tuple[int, ...]
    """Those that have a curve."""
    svg: str
    """ "" where no seed has one."""


def joined(records: Sequence[Record], column: str) -> Joined | None:
    """Mean, lowest and highest over the seeds; None where no record has a curve.

    Curves are interpolated linearly to the steps of the first, as far as all of them reach.
    """
    curves = [c for c in (_points(record, column) for record in records) if len(c)]
    if not curves:
        return None
    first, last = max(c[0, 0] for c in curves), min(c[-1, 0] for c in curves)
    steps = curves[0][:, 0]
    steps = steps[(steps >= first) & (steps <= last)]
    steps = steps[:: max(1, -(-len(steps) // MOST_POINTS))]
    values = np.array([np.interp(steps, c[:, 0], c[:, 1]) for c in curves])
    return Joined(steps, values.mean(0), values.min(0), values.max(0)) if len(steps) else None


def _points(record: Record, column: str) -> Array:
    rows = [(row["timesteps"], row[column]) for row in record.curve()]
    return np.array(rows, np.float64).reshape(-1, 2)


def panels(records: Sequence[Record], task: str) -> list[Panel]:
    """A panel for each method of Table 5, run or not, and for each other that has run.

    All panels of a task have the same axes.
    """
    names = list(table_methods(5, task))
    names += sorted({r.method for r in records if r.task == task} - set(names))
    found = {name: select(records, task, name) for name in names}
    curves = {
        name: {column: joined(runs, column) for column in COLUMNS} for name, runs in found.items()
    }
    drawn = [part for parts in curves.values() for part in parts.values() if part]
    if not drawn:
        return []
    x = span_of(*(part.steps.tolist() for part in drawn), low=0.0)
    spans = {column: _span([parts[column] for parts in curves.values()]) for column in COLUMNS}
    return [
        Panel(name, _seeds(found[name]), _draw(name, parts, x, spans))
        for name, parts in curves.items()
    ]


def _seeds(records: Sequence[Record]) -> tuple[int, ...]:
    return tuple(record.seed for record in records if record.curve())


def _span(parts: Sequence[Joined | None]) -> Span:
    known = [values for part in parts if part for values in (part.low.tolist(), part.high.tolist())]
    return span_of(*known, low=min(0.0, *(min(values) for values in known)))


def _draw(method: str, parts: dict[str, Joined | None], x: Span, spans: dict[str, Span]) -> str:
    charts = []
    for column, (title, style) in COLUMNS.items():
        part = parts[column]
        if part is None:
            return ""
        chart = Chart(f"{title} of {method} while training", x, spans[column], SIZE, MARGINS)
        chart.axes(f"{method}: {title.lower()}", "environment steps")
        if column == "ep_cost_mean":
            chart.line([(x.low, COST_LIMIT), (x.high, COST_LIMIT)], "limit")
        chart.band(list(_pairs(part.steps, part.low)), list(_pairs(part.steps, part.high)), style)
        chart.line(list(_pairs(part.steps, part.mean)), style)
        charts.append(chart.render())
    return side_by_side(charts, SIZE, columns=1, label=f"Learning curves of {method}")


def _pairs(steps: Array, values: Array) -> Iterator[tuple[float, float]]:
    return zip(steps.tolist(), values.tolist(), strict=True)


def sheet(drawn: Sequence[Panel], columns: int = 3) -> str:
    """All panels that have a curve in one SVG, for where there is no page around them."""
    size = (SIZE[0], SIZE[1] * len(COLUMNS))
    pictures = [panel.svg for panel in drawn if panel.svg]
    return side_by_side(pictures, size, columns, label="Learning curves") if pictures else ""
