"""What is proved about attacks and discounted cost, each against exact truth.

Every function takes `Facts` of a batch and gives a `Comparison`. V is the discounted cost, A the
advantage, TV = (1/2) sum |p - q|. A formula that a statement stands on is an argument, so that a
wrong one can be tried.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from safer_gym.tabular.adversary import attacked, residual_bound, truth
from safer_gym.tabular.attacks import iterated_max_cost
from safer_gym.tabular.cmdp import Floats
from safer_gym.tabular.values import shown, visitation
from theory.comparison import Comparison, joined
from theory.facts import Facts


def performance_difference(facts: Facts) -> Comparison:
    """V' - V = (1 / (1 - g)) E_{s ~ d'} sum_a (pi' - pi)(a | s) Q(s, a), an equality."""
    cmdp, policy, previous = facts.case
    bad = shown(policy, facts.optimal.adversary)
    advantage = ((bad - previous) * facts.previous.q).sum(-1)
    gain = (visitation(cmdp, bad) * advantage).sum(-1) / (1 - facts.gamma)
    change = facts.from_start(facts.optimal.values.v - facts.previous.v)
    return Comparison(change, gain, equal=True)


def lemma_1(facts: Facts) -> Comparison:
    """Achiam's Corollary 2: V' - V <= E_{d, pi'}[A + 2 g alpha TV / (1 - g)] / (1 - g)."""
    cmdp, policy, previous = facts.case
    d = visitation(cmdp, previous)
    advantage = (policy * facts.previous.q).sum(-1) - facts.previous.v
    alpha = np.abs(advantage).max(-1)[..., None]
    gamma = facts.gamma[..., None]
    penalty = 2 * gamma * alpha / (1 - gamma) * facts.step
    linear, bound = (
        (d * inside).sum(-1) / (1 - facts.gamma) for inside in (advantage, advantage + penalty)
    )
    return Comparison(facts.from_start(facts.benign.v - facts.previous.v), bound, linear)


def lemma_2_sharp(facts: Facts) -> Comparison:
    """E_{pi'} A(s, .) <= TV (max_a Q - min_a Q), by state."""
    q = facts.benign.q
    return Comparison(_deceived(facts), facts.tv * (q.max(-1) - q.min(-1)))


def lemma_2(facts: Facts, hazard: Floats | None = None) -> Comparison:
    """E_{pi'} A(s, .) <= TV (p_s C_m + g max V), by state; p_s of arrivals that cost."""
    hazard = facts.hazard if hazard is None else hazard
    top = facts.gamma * facts.benign.v.max(-1)
    bound = facts.tv * (hazard * facts.c_max[..., None] + top[..., None])
    return Comparison(_deceived(facts), bound)


def clean_below_mc(facts: Facts) -> Comparison:
    """V <= V under MC with the exact critic, at every state."""
    return Comparison(facts.benign.v, facts.mc.values.v)


def mc_below_optimum(facts: Facts) -> Comparison:
    """V under MC <= V under the optimal adversary; the ratio is MC's share of the gain."""
    return Comparison(facts.mc.values.v, facts.optimal.values.v, facts.benign.v)


def iterates_rise(facts: Facts) -> Comparison:
    """Each iterate of MC is at least as costly as the one before, at every state."""
    found = [a.values.v for a in iterated_max_cost(facts.case.cmdp, facts.case.policy)]
    rises = pairwise([*found, facts.optimal.values.v])
    return joined([Comparison(low, high, facts.benign.v) for low, high in rises])


def iterates_reach_optimum(facts: Facts) -> Comparison:
    """The last iterate of MC is the optimal adversary."""
    *_, last = iterated_max_cost(facts.case.cmdp, facts.case.policy)
    return Comparison(last.values.v, facts.optimal.values.v, equal=True)


def bellman_residual(facts: Facts) -> Comparison:
    """V_opt <= V + max_s (T V - V)(s) / (1 - g), at every state."""
    cmdp, policy, _ = facts.case
    bound = residual_bound(cmdp, policy, facts.benign.v)
    return Comparison(facts.optimal.values.v, bound, facts.benign.v)


def random_adversaries(facts: Facts, rng: np.random.Generator, draws: int = 5) -> Comparison:
    """No randomised stationary adversary beats the optimum, at any state."""
    cmdp, policy, _ = facts.case
    parts = []
    for _ in range(draws):
        weight = np.where(cmdp.balls, rng.standard_gamma(0.3, cmdp.balls.shape) + 1e-12, 0.0)
        weight /= weight.sum(-1, keepdims=True)
        behind = attacked(cmdp, weight @ policy, truth(cmdp)).values.v
        parts.append(Comparison(behind, facts.optimal.values.v, facts.benign.v))
    return joined(parts)


def _deceived(facts: Facts) -> Floats:
    """max over adversaries of E_{pi'} A(s, .), by state: MC's own first-step gain."""
    bad = shown(facts.case.policy, facts.mc.adversary)
    return ((bad - facts.case.policy) * facts.benign.q).sum(-1)
