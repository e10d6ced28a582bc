"""Success and violations of a table's cells, ours and the paper's."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from experiments.harness.records import Record, select

PAPER_STEPS = 50_000
NAMES = {
    "Context PARROT": "Context-PARROT",
    "Prior Explore": "Prior-Explore",
    "SAFER": "SkillSAFER",
}
"""What the paper calls methods that have another name here."""


class Numbers(NamedTuple):
    """Of one seed, or the mean of several."""

    success: float
    """Share of the episodes of the last policy in which the object is extracted."""
    violations: float
    """Steps of the training in which the arm touched the container."""
    rate: float
    """The same for each 1,000 steps."""
    deployed: float
    """Violations of the last policy for each 1,000 steps."""


def numbers_of(record: Record) -> Numbers:
    """One seed's."""
    part = record.data["evaluation"]["natural"]
    returns, lengths = np.array(part["returns"]), np.array(part["lengths"])
    steps = int(record.data["timesteps"])
    total = record.total("total_cost") or 0.0
    return Numbers(
        float((returns > -lengths).mean()),  # -1 a step, and 1 for the last of a success
        total,
        1000 * total / steps,
        1000 * float(np.sum(part["costs"]) / lengths.sum()),
    )


def numbers(records: Sequence[Record], task: str, method: str) -> list[Numbers]:
    """All seeds'.

    Raises:
        KeyError: no run.
    """
    runs = select(records, task, method)
    if not runs:
        raise KeyError(f"no run of {method}")
    return [numbers_of(run) for run in runs]


def mean_of(found: Sequence[Numbers]) -> Numbers:
    """Over seeds."""
    return Numbers(*(float(x) for x in np.mean(found, axis=0)))


class Published(NamedTuple):
    """A row of the paper's Table 1, mean over its six tasks."""

    success: float
    rate: float
    """Violations for each 1,000 steps."""
    least: float
    most: float
    """Success on its worst and its best task."""


def _paper_rows() -> Iterator[tuple[str, dict[str, str]]]:
    """Each with our name of its method."""
    source = (files("experiments.skills") / "paper_table1.csv").read_text()
    for row in csv.DictReader(source.splitlines()):
        yield NAMES.get(row["method"], row["method"]), row


@cache
def published_by_task() -> dict[str, dict[str, str]]:
    """By our names and the paper's tasks: success, violations and their deviation."""
    found: dict[str, dict[str, str]] = {}
    for name, row in _paper_rows():
        cells = found.setdefault(name, {})
        if row["metric"].startswith("success"):
            cells[row["task"]] = f"{row['mean']} %"
        else:
            cells[row["task"]] += f", {float(row['mean']):,.0f} ± {float(row['std']):,.0f}"
    return found


@cache
def published() -> dict[str, Published]:
    """By our names. Its six tasks are not ours: objects and containers are not public."""
    success: dict[str, list[float]] = {}
    violations: dict[str, list[float]] = {}
    for name, row in _paper_rows():
        kind = success if row["metric"].startswith("success") else violations
        kind.setdefault(name, []).append(float(row["mean"]))
    return {
        name: Published(
            float(np.mean(shares)) / 100,
            float(np.mean(violations[name])) * 1000 / PAPER_STEPS,
            min(shares) / 100,
            max(shares) / 100,
        )
        for name, shares in success.items()
    }
