"""Interquartile means with bootstrap intervals, and how probably one method does better.

The means leave out the lowest and the highest quarter of the pooled episodes; a number beside them
is the interval of 95 % of the draws of seeds and episodes (Agarwal et al., "Deep reinforcement
learning at the edge of the statistical precipice", 2021). With one seed it holds of that seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, trim_mean

from experiments.harness.records import Record, seeds_of, select
from experiments.harness.resampling import LEVEL
from experiments.harness.summary import WORST, worst_attack
from experiments.safer.paper import table_methods
from safer_gym.conformance.figures.canvas import Frame, grid
from safer_gym.conformance.figures.theme import light, series
from safer_gym.conformance.formatting import percent
from safer_gym.conformance.report.certificate.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BASE = "CVPO-vanilla"
"""Against which the others are held."""
QUARTER = 0.25
SHOWN = {"natural reward": ("natural", "reward"), "cost, worse of MC and MR": (WORST, "cost")}
TITLE = "Interquartile means with 95 % intervals, by the chosen policies"
READING = (
    "Over the middle half of the pooled episodes; a middle half can be free of cost where single "
    "episodes are not. Intervals by drawing seeds, then episodes, anew. The last two columns: how "
    f"probably an episode of the method earns more than one of {BASE}, and costs less under the "
    "worse of MC and MR; ties count half."
)

Statistic = Callable[[Sequence[Record]], float]


class Interval(NamedTuple):
    """A number, and where most draws of it lie."""

    value: float
    low: float
    high: float


def interval(
    statistic: Statistic, records: Sequence[Record], drawn: Sequence[Sequence[Record]]
) -> Interval:
    """A statistic of the runs, and the middle 95 % of its values on the draws."""
    tail = 50 * (1 - LEVEL)
    values = [statistic(draw) for draw in drawn]
    low, high = np.percentile(values, [tail, 100 - tail]) if values else (np.nan, np.nan)
    return Interval(statistic(records), float(low), float(high))


def iqm(records: Sequence[Record], method: str, attack: str, metric: str) -> float:
    """The interquartile mean of a method's pooled episodes; nan without any."""
    values = _pooled(records, method, attack, metric)
    return float(trim_mean(values, QUARTER)) if len(values) else np.nan


def improvement(
    records: Sequence[Record], method: str, other: str, attack: str, metric: str
) -> float:
    """P(an episode of `method` has the larger number), ties counted half; nan without any."""
    ours, theirs = (_pooled(records, name, attack, metric) for name in (method, other))
    if not (len(ours) and len(theirs)):
        return np.nan
    return float(mannwhitneyu(ours, theirs).statistic) / (len(ours) * len(theirs))


class Row(NamedTuple):
    """A method on a task."""

    method: str
    seeds: str
    means: tuple[Interval, ...]
    """Its interquartile means, of the numbers `SHOWN`."""
    better: tuple[Interval, ...]
    """How probably it does better than `BASE` in each of them; nan without the two."""


def interval_rows(
    records: Sequence[Record], drawn: Sequence[Sequence[Record]], task: str
) -> list[Row]:
    """A row for each method that has run on a task."""
    rows = []
    for method in _methods(records, task):
        runs, draws = _of(records, drawn, task, {method, BASE})
        means, better = (
            tuple(interval(partial(of, method, *number), runs, draws) for number in SHOWN.values())
            for of in (_iqm, _better)
        )
        rows.append(Row(method, seeds_of(select(runs, task, method)), means, better))
    return rows


def interval_table(rows: Sequence[Row]) -> Table | None:
    """The rows in words; None without any."""
    head = ("method", "seeds", *SHOWN, f"P(earns more than {BASE})", f"P(costs less than {BASE})")
    told = [
        (
            row.method,
            row.seeds,
            *map(_words, row.means),
            *("" if row.method == BASE else _shares(found) for found in row.better),
        )
        for row in rows
    ]
    return Table(head, told) if rows else None


def interval_figure(rows: Sequence[Row]) -> str:
    """The means and their intervals as SVG, a panel for each number; "" without rows."""
    names = [row.method for row in rows]
    paints = [
        partial(_paint, title=title, names=names, found=[row.means[place] for row in rows])
        for place, title in enumerate(SHOWN)
    ]
    frame = Frame(420.0, 70.0 + 16.0 * len(names), left=140.0)
    return grid(paints, TITLE, len(paints), frame) if names else ""


def _of(
    records: Sequence[Record], drawn: Sequence[Sequence[Record]], task: str, methods: set[str]
) -> tuple[list[Record], list[list[Record]]]:
    """What statistics of some methods on a task need."""
    runs, *draws = (
        [r for r in part if r.task == task and r.names & methods] for part in (records, *drawn)
    )
    return runs, draws


def _methods(records: Sequence[Record], task: str) -> list[str]:
    known = {r.method for r in records if r.task == task}
    listed = [name for name in table_methods(5, task) if select(records, task, name)]
    return [*listed, *sorted(known - set(listed))]


def _iqm(method: str, attack: str, metric: str, records: Sequence[Record]) -> float:
    return iqm(records, method, attack, metric)


def _better(method: str, attack: str, metric: str, records: Sequence[Record]) -> float:
    more = improvement(records, method, BASE, attack, metric)
    return more if metric == "reward" else 1 - more


def _pooled(
    records: Sequence[Record], method: str, attack: str, metric: str
) -> NDArray[np.float64]:
    runs = [record for record in records if method in record.names]
    name = worst_attack(runs) if attack == WORST else attack
    values = [record.values(name, metric) for record in runs]
    known = [value for value in values if value is not None]
    return np.concatenate(known) if known else np.empty(0)


def _words(found: Interval) -> str:
    if np.isnan(found.value):
        return "not measured"
    return f"{found.value:.1f} [{found.low:.1f}, {found.high:.1f}]"


def _shares(found: Interval) -> str:
    if np.isnan(found.value):
        return ""
    return f"{percent(found.value)} [{percent(found.low)}, {percent(found.high)}]"


def _paint(ax: Axes, title: str, names: Sequence[str], found: Sequence[Interval]) -> None:
    places = np.arange(len(names))[::-1]
    for place, part in zip(places, found, strict=True):
        ax.plot([part.low, part.high], [place, place], color=light(series(0)))
        ax.plot([part.value], [place], "o", color=light(series(0)))
    ax.set_yticks(places, names)
    ax.set(title=title, ylim=(-0.7, len(names) - 0.3))
    ax.grid(axis="x")
