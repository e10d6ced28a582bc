"""Compositions with budgets that some episodes exceed, each against exact truth.

The problems are small enough to enumerate every benign episode, so that the mean of what a
composition makes of an episode is exact, and only the composition itself is on trial.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from safer_gym.tabular.cmdp import CMDP, Floats
from safer_gym.tabular.horizon import worst_mean, worst_rate
from safer_gym.tabular.random_cmdps import Case, picked, random_case
from theory.examples import attaining_case, cheap_action_case, crossroads_case
from theory.paths import Paths, benign_paths
from theory.tables import ball_renyi, ball_variation

HORIZONS = (1, 2, 3)
BUDGETS = (0.3, 0.7, 1.0)
"""Quantiles of what benign episodes spend: with the last one nobody overruns."""


class Problem(NamedTuple):
    """One problem solved, with every benign episode."""

    paths: Paths
    tv: Floats
    """delta(s_t) along each path, [P, H]."""
    renyi: Floats
    """sup over the ball of D_a at s_t, [P, H, orders]."""
    limit: float
    high: float
    """The most that an episode can cost."""
    worst_rate: float
    worst_mean: float

    @property
    def left(self) -> Floats:
        """The share of the episode that is left at each step, [H]."""
        horizon = self.tv.shape[1]
        return 1 - np.arange(horizon) / horizon


def small_problems(n: int, seed: int, orders: Sequence[float]) -> Iterator[Problem]:
    """`n` random problems of 2 or 3 states and actions, and some that attain a bound."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        shape = (int(rng.integers(2, 4)), int(rng.integers(2, 4)))
        case = picked(random_case(shape, 1, rng), 0)
        yield solve(case, HORIZONS[i % len(HORIZONS)], float(rng.integers(0, 2)), orders)
    examples = [(attaining_case(delta, 0.5), steps) for delta in (0.01, 0.3) for steps in (1, 3)]
    examples += [(cheap_action_case(0.75), 1), (crossroads_case(), 2)]
    for case, steps in examples:
        yield solve(picked(case, 0), steps, 0.0, orders)
    yield solve(picked(cheap_action_case(1.0), 0), 1, 0.0, orders, dear=2.0)


def solve(
    case: Case, horizon: int, limit: float, orders: Sequence[float], dear: float = 1.0
) -> Problem:
    """Everything exact about one problem; `dear`: the largest cost of a step is believed to be
    this many times the true one."""
    cmdp: CMDP = case.cmdp
    paths = benign_paths(cmdp, case.policy, horizon)
    renyi = np.stack([ball_renyi(cmdp, case.policy, order) for order in orders], axis=-1)
    return Problem(
        paths,
        ball_variation(cmdp, case.policy)[paths.states],
        renyi[paths.states],
        limit,
        horizon * dear * max(float(cmdp.costs.max()), 1.0),
        float(worst_rate(cmdp, case.policy, horizon, limit).value),
        float(worst_mean(cmdp, case.policy, horizon).value),
    )
