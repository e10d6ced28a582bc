"""What defaults that work have to show, tried on every task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from experiments.elsewhere.environments import PLACES
from experiments.elsewhere.methods import METHODS
from experiments.harness.finding import Finding
from experiments.harness.records import Record, select
from experiments.harness.resampling import firmly
from experiments.harness.summary import summary_of

FREE = "point-mass-free"
LOSS = 0.05
"""Share of CVPO's reward that SAFER may give up where no limit binds."""

Test = Callable[[Sequence[Record]], tuple[bool, str]]


class Claim(NamedTuple):
    """A claim on one task."""

    text: str
    task: str
    ours: Finding


def claims(
    records: Sequence[Record], tasks: Sequence[str], drawn: Sequence[Sequence[Record]] = ()
) -> list[Claim]:
    """Every claim on every task that it is about.

    Args:
        drawn: draws of seeds and episodes, which tell how firm a verdict is.
    """
    tests: list[tuple[str, str, Test]] = [
        (f"{method} keeps the limit", task, partial(_keeps, task, method, ("natural",)))
        for method in METHODS
        for task in tasks
    ]
    attacked = ("natural", "mc", "mr")
    tests += [
        ("SAFER keeps the limit under attack", task, partial(_keeps, task, "SAFER", attacked))
        for task in tasks
    ]
    if FREE in tasks:
        text = f"Where no limit binds, SAFER gives up at most {LOSS:.0%} of CVPO's reward"
        tests.append((text, FREE, _free))
    return [Claim(text, task, firmly(test, records, drawn)) for text, task, test in tests]


def mean_of(records: Sequence[Record], task: str, method: str, attack: str, metric: str) -> float:
    """Over all seeds' episodes.

    Raises:
        KeyError: there are none.
    """
    found = summary_of(select(records, task, method), attack, metric)
    if found is None:
        raise KeyError(f"no numbers of {method} under {attack} on {task}")
    return found.mean


def _keeps(
    task: str, method: str, attacks: Sequence[str], records: Sequence[Record]
) -> tuple[bool, str]:
    costs = {name: mean_of(records, task, method, name, "cost") for name in attacks}
    said = ", ".join(f"{name} {cost:.1f}" for name, cost in costs.items())
    limit = PLACES[task].task.cost_limit
    return max(costs.values()) <= limit, f"mean cost {said}; the limit is {limit:g}"


def _free(records: Sequence[Record]) -> tuple[bool, str]:
    safer, cvpo = (mean_of(records, FREE, name, "natural", "reward") for name in ("SAFER", "CVPO"))
    return safer >= cvpo - LOSS * abs(cvpo), f"SAFER {safer:.1f}, CVPO {cvpo:.1f}"
