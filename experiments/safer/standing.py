"""Where SAFER and SAFER-attacked stand against the aim beyond the paper: its natural reward, no
more cost under a stronger battery than the paper's has under MC and MR, a tenth of its steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from experiments.harness.records import STRONGEST, Record, seeds_of, select
from experiments.harness.summary import summary_of
from experiments.safer.methods import SAFERS
from experiments.safer.paper import STEPS, published

SHARE = 0.1
"""Of the paper's environment steps."""


class Goal(NamedTuple):
    """Our number beside the one to reach."""

    ours: float | None
    """None: not measured."""
    bound: float
    reached: bool | None


class Standing(NamedTuple):
    """One method on one task; best policies, mean over the pooled episodes of all seeds."""

    task: str
    method: str
    reward: Goal
    """Without an attack, at or above the paper's."""
    cost: Goal
    """The highest of MC, MR and the battery's strongest attack, at or below the paper's highest of
    MC and MR; not measured where no battery ran.
    """
    steps: Goal
    """Environment steps of the longest run, at or below a tenth of the paper's."""
    seeds: str
    """Those that ran, in words."""


def standings(records: Sequence[Record], tasks: Sequence[str]) -> list[Standing]:
    """Where each method stands on each task."""
    return [_standing(records, task, method) for task in tasks for method in SAFERS]


def _standing(records: Sequence[Record], task: str, method: str) -> Standing:
    runs = select(records, task, method)
    reward = _mean(runs, "natural", "reward")
    goal = _paper(task, "natural", "reward")
    cost, allowed = _worst_cost(runs), max(_paper(task, attack, "cost") for attack in ("mc", "mr"))
    steps = max((float(run.data["timesteps"]) for run in runs), default=None)
    return Standing(
        task,
        method,
        Goal(reward, goal, None if reward is None else reward >= goal),
        _at_most(cost, allowed),
        _at_most(steps, SHARE * STEPS[task]),
        seeds_of(runs),
    )


def _at_most(ours: float | None, bound: float) -> Goal:
    return Goal(ours, bound, None if ours is None else ours <= bound)


def _worst_cost(runs: Sequence[Record]) -> float | None:
    costs = [_mean(runs, attack, "cost") for attack in ("mc", "mr", STRONGEST)]
    known = [cost for cost in costs if cost is not None]
    return max(known) if len(known) == len(costs) else None


def _mean(runs: Sequence[Record], attack: str, metric: str) -> float | None:
    found = summary_of(runs, attack, metric)
    return None if found is None else found.mean


def _paper(task: str, attack: str, metric: str) -> float:
    found = published(task, "SAFER", attack, metric)
    assert found is not None
    return found.mean
