"""What the pages of several papers say alike: how much is known, claims, and facts of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from experiments.harness.finding import MARKS
from experiments.harness.records import Record
from experiments.harness.reproduce import States
from safer_gym.conformance.report.certificate.tables import Table

Title = Callable[[str], str]
"""From a task's name to what a page calls it."""


def lead(runs: int, found: Sequence[Any], each: str = "") -> str:
    """How much is known, in a sentence.

    Args:
        runs: finished ones.
        found: claims, with their `ours`.
        each: what a claim is counted for once, such as "task".
    """
    known = [claim for claim in found if claim.ours.verdict != "not run"]
    holding = sum(claim.ours.verdict == "holds" for claim in known)
    claims = f"{len(found)} claims" + (f" (one for each {each})" if each else "")
    return f"Runs so far: {runs}. Of {claims} {len(known)} could be tried; {holding} hold."


def claims_table(found: Sequence[Any], where: str, title: Title) -> Table:
    """The claims that could be tried.

    Args:
        found: claims, with `text`, `task` and `ours`.
        where: heading of the tasks.
    """
    rows = [
        (c.text, title(c.task), f"{MARKS[c.ours.verdict]} {c.ours.verdict}", c.ours.numbers)
        for c in found
        if c.ours.verdict != "not run"
    ]
    return Table(("claim", where, "verdict", "numbers"), rows)


def missing(states: States, title: Title) -> list[str]:
    """Which rows cannot be had, and why."""
    return [f"{method} on {title(task)}: {why}." for (task, method), why in states.items()]


def run_facts(record: Record, title: Title) -> tuple[str, list[tuple[str, str, bool]]]:
    """A run's name, and what made it."""
    names = ("timesteps", "command", "commit", "made")
    facts = [(name, str(record.data.get(name)), True) for name in names]
    seconds = record.total("seconds") or 0
    name = f"{title(record.task)}, {record.method}, seed {record.seed}"
    return name, [*facts, ("seconds of training", f"{seconds:.0f}", True)]
