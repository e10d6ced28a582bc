"""The papers' attacks on a finite problem, with exact critics.

MC with the exact Q_c of the benign policy is one step of policy iteration in the adversary's own
problem; iterated with the Q_c of the attacked policy it reaches the optimal adversary.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from safer_gym.tabular.adversary import Attacked, attacked, best_response, offers, truth
from safer_gym.tabular.cmdp import CMDP, Floats, Ints
from safer_gym.tabular.distances import kl
from safer_gym.tabular.values import policy_values


def max_cost(cmdp: CMDP, policy: Floats) -> Attacked:
    """MC: shows argmax_o sum_a pi(a | o) Q_c(s, a); never below the benign cost at any state."""
    benign = attacked(cmdp, policy, truth(cmdp))
    return attacked(cmdp, policy, best_response(cmdp, policy, benign.values.q, benign.adversary), 1)


def iterated_max_cost(cmdp: CMDP, policy: Floats) -> Iterator[Attacked]:
    """MC again and again, each with the critic of the policy under the attack before.

    The first is the benign policy, the second MC; the last is optimal. Ends by itself.
    """
    found = attacked(cmdp, policy, truth(cmdp))
    while True:
        yield found
        better = best_response(cmdp, policy, found.values.q, found.adversary)
        if (better == found.adversary).all():
            return
        found = attacked(cmdp, policy, better, found.rounds + 1)


def max_reward(cmdp: CMDP, policy: Floats) -> Attacked:
    """MR: shows argmax_o sum_a pi(a | o) Q_r(s, a). It need not raise the cost."""
    q = policy_values(cmdp, policy, cmdp.rewards).q
    return attacked(cmdp, policy, best_response(cmdp, policy, q, truth(cmdp)), 1)


def max_difference(cmdp: CMDP, policy: Floats) -> Attacked:
    """MAD: shows the state whose action distribution is farthest by KL(pi(. | s) || pi(. | o))."""
    distance = kl(policy[..., :, None, :], policy[..., None, :, :])
    return attacked(cmdp, policy, np.where(cmdp.balls, distance, -np.inf).argmax(-1), 1)


def random_adversary(cmdp: CMDP, rng: np.random.Generator) -> Ints:
    """A deterministic adversary drawn uniformly from the perturbation sets, [..., S]."""
    draws = rng.random(cmdp.balls.shape)
    return np.where(cmdp.balls, draws, -1.0).argmax(-1)


__all__ = [
    "iterated_max_cost",
    "max_cost",
    "max_difference",
    "max_reward",
    "offers",
    "random_adversary",
]
