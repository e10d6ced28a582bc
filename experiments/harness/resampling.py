"""How firmly a claim holds: tried again on runs and episodes drawn anew, with replacement.

A hierarchical bootstrap, stratified by task and method: first the seeds, then the episodes of each.
A method with one seed varies by its episodes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, TypeVar

import numpy as np

from experiments.harness.finding import Finding, Verdict, tried
from experiments.harness.records import Record

T = TypeVar("T")

DRAWS = 200
SEED = 0
PER_EPISODE = ("returns", "costs", "lengths", "worst_h")
"""What a record has of each episode."""
LEVEL = 0.95
"""Share of the draws that have to agree with what the runs themselves say."""
UNDECIDED = (
    f"A claim is undecided where fewer than {LEVEL:.0%} of {DRAWS} draws of seeds and episodes, "
    "with replacement, agree with what the runs say; a method with one seed varies by its episodes "
    "alone."
)
"""For the pages."""


def draws(records: Sequence[Record], number: int = DRAWS) -> list[list[Record]]:
    """The same draws at every call."""
    generator = np.random.default_rng(SEED)
    return [resampled(records, generator) for _ in range(number)]


def resampled(records: Sequence[Record], generator: np.random.Generator) -> list[Record]:
    """As many runs of each task and method, drawn among them, with as many of their episodes."""
    ordered = sorted(records, key=_stratum)
    return [
        _with_drawn_episodes(runs[place], generator)
        for _, group in groupby(ordered, _stratum)
        for runs in [list(group)]
        for place in generator.integers(len(runs), size=len(runs))
    ]


def firmly(
    test: Callable[[T], tuple[bool, str]],
    given: T,
    drawn: Sequence[T],
    missing: Verdict = "not run",
) -> Finding:
    """The verdict of a test, "undecided" where less than `LEVEL` of the draws agree with it.

    Args:
        test: see `tried`.
        given: what it is tried on.
        drawn: the same of each draw.
    """
    found = tried(lambda: test(given), missing)
    if found.verdict == missing or not drawn:
        return found
    share = float(np.mean([test(one)[0] for one in drawn]))
    agreeing = share if found.verdict == "holds" else 1 - share
    numbers = f"{found.numbers}; holds in {share:.0%} of the draws"
    return Finding(found.verdict if agreeing >= LEVEL else "undecided", numbers)


def _stratum(record: Record) -> tuple[str, str]:
    return record.task, record.method


def _with_drawn_episodes(record: Record, generator: np.random.Generator) -> Record:
    """Episodes of one number begin alike under every attack, so they are drawn together."""
    places: dict[int, Any] = {}

    def of(part: dict[str, Any]) -> dict[str, Any]:
        size = len(part["returns"])
        if size not in places:
            places[size] = generator.integers(size, size=size)
        drawn = {key: np.asarray(part[key])[places[size]] for key in PER_EPISODE if key in part}
        return {**part, **drawn}

    evaluations = {
        key: {name: of(part) for name, part in found.items()}
        for key, found in record.data.items()
        if key.startswith("evaluation")
    }
    return record._replace(data={**record.data, **evaluations})
