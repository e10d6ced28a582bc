"""What the paper says of training and of its sweep: costs up to a reward, time, xi-tilde."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from experiments.harness.records import Record, select
from experiments.harness.summary import WORST
from experiments.safer.claim_tests import Look, say
from experiments.safer.figure import cost_to_reach, frontier

RISES = 0.5
"""Rank correlation of the cost with xi-tilde. The bound is ours."""
SAME_REWARD = 0.9
"""Of the lower of two methods' highest rewards. The bound is ours."""


def sweep(methods: Sequence[str], look: Look) -> tuple[bool, str]:
    """The larger xi-tilde, the larger the attacked cost.

    Raises:
        KeyError: fewer than three have numbers; says which have.
    """

    def cost(method: str) -> float:
        try:
            return look(method, WORST, "cost")
        except KeyError:
            return np.nan

    xi = np.array([float(method.partition("=")[2].rstrip(")")) for method in methods])
    costs = np.array([cost(method) for method in methods])
    known = ~np.isnan(costs)
    numbers = say([f"at {value:g}" for value in xi[known]], costs[known].tolist())
    if known.sum() < 3:
        raise KeyError(numbers or "no numbers of the sweep")
    return float(spearmanr(xi[known], costs[known]).statistic) > RISES, numbers


def cheaper(records: Sequence[Record], task: str, method: str, baseline: str) -> tuple[bool, str]:
    """Less cumulative cost for the same reward.

    Raises:
        KeyError: no curve, or none with costs; says whose.
    """
    ours, theirs = (select(records, task, name) for name in (method, baseline))
    reached = cost_to_reach(ours, theirs, SAME_REWARD)
    if reached is None:
        has_cost = any(len(frontier(record)) for record in ours)
        missing, runs = (baseline, theirs) if has_cost else (method, ours)
        raise KeyError(
            f"the runs of {missing} recorded no costs" if runs else f"no numbers of {missing}"
        )
    level, first, second = reached
    return first < second, f"for {level:.0f}: {method} {first:,.0f}, {baseline} {second:,.0f}"


def slower(records: Sequence[Record], task: str, method: str, baseline: str) -> tuple[bool, str]:
    """More time of training for an environment step; clocks of shared machines are rough.

    Raises:
        KeyError: no times of one of them.
    """
    ours, theirs = (_milliseconds(select(records, task, name), name) for name in (method, baseline))
    return ours > theirs, f"{method} {ours:.2f} ms a step, {baseline} {theirs:.2f} ms"


def _milliseconds(records: Sequence[Record], method: str) -> float:
    took = [(r.total("seconds"), r.data["timesteps"]) for r in records]
    known = [1000.0 * seconds / steps for seconds, steps in took if seconds is not None]
    if not known:
        raise KeyError(f"no times of {method}")
    return float(np.mean(known))
