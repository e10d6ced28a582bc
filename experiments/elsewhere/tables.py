"""The table of a task, and its learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from experiments.elsewhere.claims import mean_of
from experiments.elsewhere.environments import PLACES
from experiments.elsewhere.measuring import ATTACKS
from experiments.elsewhere.methods import CHANGES, METHODS
from experiments.harness.curves import COLUMNS, FRAME, ROOM, joined, paint_joined, span_of
from experiments.harness.records import Record, seeds_of, select
from safer_gym.conformance.figures.canvas import grid
from safer_gym.conformance.report.certificate.tables import Table


def rows_of(records: Sequence[Record], task: str) -> list[str]:
    """The four algorithms, then the changes that have a run."""
    return [*METHODS, *(name for name in CHANGES if select(records, task, name))]


def table_of(records: Sequence[Record], task: str) -> Table:
    """Reward / cost without and under attack, means over the seeds' episodes."""
    head = ("method", "seeds", "steps", *ATTACKS.values(), "cost of training")
    return Table(head, [_row(records, task, method) for method in rows_of(records, task)])


def _row(records: Sequence[Record], task: str, method: str) -> tuple[str, ...]:
    runs = select(records, task, method)
    steps = ", ".join(dict.fromkeys(f"{run.data['timesteps']:,}" for run in runs))
    paid = [cost for run in runs if (cost := run.total("total_cost")) is not None]
    return (
        method,
        seeds_of(runs) or "not run",
        steps or "–",
        *(_cell(records, task, method, attack) for attack in ATTACKS),
        f"{sum(paid) / len(paid):,.0f}" if paid else "–",
    )


def _cell(records: Sequence[Record], task: str, method: str, attack: str) -> str:
    try:
        reward, cost = (
            mean_of(records, task, method, attack, metric) for metric in ("reward", "cost")
        )
    except KeyError:
        return "–"
    return f"{reward:.1f} / {cost:.1f}"


def curves_of(records: Sequence[Record], task: str) -> str:
    """Reward and cost of training episodes, a row of panels for each method; "" without a run."""
    runs = {name: select(records, task, name) for name in rows_of(records, task)}
    known = {
        name: parts
        for name, found in runs.items()
        if len(parts := {c: part for c in COLUMNS if (part := joined(found, c))}) == len(COLUMNS)
    }
    if not known:
        return ""
    across = (
        0.0,
        ROOM * max(float(p.steps[-1]) for parts in known.values() for p in parts.values()),
    )
    up = {c: span_of([parts[c] for parts in known.values()]) for c in COLUMNS}
    limit = PLACES[task].task.cost_limit
    paints = [
        partial(paint_joined, method=n, column=c, part=part, across=across, up=up[c], limit=limit)
        for n, parts in known.items()
        for c, part in parts.items()
    ]
    return grid(paints, f"Learning curves on {PLACES[task].task.title}", len(COLUMNS), FRAME)
