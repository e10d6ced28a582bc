"""What is proved about episodes of H steps, undiscounted, each against exact truth.

For an event E of the episode (cost > limit) and for its mean cost. Each function takes
`EpisodeFacts` of a batch and gives a `Comparison`; formulas are arguments, so that a wrong one
can be tried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from safer_gym.bounds import (
    ORDERS,
    additive_bound,
    coupled_rate,
    renyi_filter,
)
from safer_gym.tabular.cmdp import Floats, unattacked
from safer_gym.tabular.horizon import worst_mean, worst_rate
from safer_gym.tabular.random_cmdps import Case
from theory.comparison import Comparison
from theory.tables import ball_renyi, ball_variation, occupancy

Bound = Callable[..., Any]


class EpisodeFacts(NamedTuple):
    """Exact figures of episodes, [N, ...]."""

    case: Case
    horizon: int
    limit: float
    benign_rate: Floats
    """P(cost > limit) without an adversary, [N]."""
    worst_rate: Floats
    """The largest over all adaptive adversaries, [N]."""
    benign_mean: Floats
    worst_mean: Floats
    expected_tv: Floats
    """E[delta(s_t)] without an adversary, [H, N]; delta(s) the largest TV to what may be shown."""

    @property
    def c_max(self) -> Floats:
        """Largest cost of a step, [N]."""
        return self.case.cmdp.costs.max((-3, -2, -1))


def episode_facts(case: Case, horizon: int, limit: float) -> EpisodeFacts:
    """Solve a batch exactly."""
    cmdp, policy, _ = case
    calm = unattacked(cmdp)
    visits = occupancy(cmdp, policy, horizon)
    return EpisodeFacts(
        case,
        horizon,
        limit,
        worst_rate(calm, policy, horizon, limit).value,
        worst_rate(cmdp, policy, horizon, limit).value,
        worst_mean(calm, policy, horizon).value,
        worst_mean(cmdp, policy, horizon).value,
        (visits * ball_variation(cmdp, policy)).sum(-1),
    )


def summed_tv_rate(facts: EpisodeFacts, formula: Bound = additive_bound) -> Comparison:
    """P'(E) <= P(E) + E_benign sum_t delta(s_t)."""
    bound = formula(facts.benign_rate, facts.expected_tv.sum(0))
    return Comparison(facts.worst_rate, bound, facts.benign_rate)


def summed_tv_mean(facts: EpisodeFacts) -> Comparison:
    """E[C'] <= E_benign[C + sum_t delta(s_t) (H - t) C_m]."""
    left = facts.horizon - np.arange(facts.horizon)
    weighted = (facts.expected_tv * left[:, None]).sum(0)
    bound = facts.benign_mean + weighted * facts.c_max
    return Comparison(facts.worst_mean, bound, facts.benign_mean)


def coupled(facts: EpisodeFacts, formula: Bound = coupled_rate) -> Comparison:
    """P'(E) <= P(E) + 1 - (1 - delta)^H, delta = max_s delta(s)."""
    with np.errstate(divide="ignore"):
        step = -np.log1p(-ball_variation(facts.case.cmdp, facts.case.policy).max(-1))
    bound = formula(facts.benign_rate, facts.horizon * step)
    return Comparison(facts.worst_rate, bound, facts.benign_rate)


def renyi_rate(facts: EpisodeFacts, formula: Bound = renyi_filter) -> Comparison:
    """D_a(Bernoulli(P'(E)) || Bernoulli(P(E))) <= rho_a = H max_s D_a for all orders a."""
    found = formula(facts.benign_rate, _budgets(facts), ORDERS)
    return Comparison(facts.worst_rate, found, facts.benign_rate)


def renyi_cost(facts: EpisodeFacts) -> Comparison:
    """The same for the mean cost, as a share of the most that H steps can cost."""
    high = facts.horizon * np.maximum(facts.c_max, 1e-300)
    found = high * renyi_filter(facts.benign_mean / high, _budgets(facts), ORDERS)
    return Comparison(facts.worst_mean, found, facts.benign_mean)


def _budgets(facts: EpisodeFacts) -> Floats:
    """rho_a over the episode for each order, [N, orders]."""
    cmdp, policy, _ = facts.case
    each = [ball_renyi(cmdp, policy, order).max(-1) for order in ORDERS]
    return facts.horizon * np.stack(each, axis=-1)
