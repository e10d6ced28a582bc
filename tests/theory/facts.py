"""The exact figures of a batch of random problems that the statements speak of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from safer_gym.tabular.adversary import Attacked, optimal_adversary
from safer_gym.tabular.attacks import max_cost
from safer_gym.tabular.cmdp import Floats
from safer_gym.tabular.distances import total_variation
from safer_gym.tabular.random_cmdps import Case
from safer_gym.tabular.values import Values, policy_values
from theory.tables import arrival_probability, ball_variation


class Facts(NamedTuple):
    """Discounted costs throughout; [N, ...] over the problems of the batch."""

    case: Case
    benign: Values
    """Of the policy without an adversary."""
    previous: Values
    """Of the policy that this one was improved from."""
    mc: Attacked
    optimal: Attacked
    tv: Floats
    """delta(s): largest TV to what may be shown, [N, S]."""
    step: Floats
    """TV between the policy and the previous one by state, [N, S]."""
    hazard: Floats
    """p_s, [N, S]."""
    c_max: Floats
    """Largest cost of a step, [N]."""

    @property
    def gamma(self) -> Floats:
        """[N]."""
        return self.case.cmdp.gamma

    def from_start(self, values: Floats) -> Floats:
        """Values by state [N, S] as seen from the start distribution, [N]."""
        return (self.case.cmdp.start * values).sum(-1)


def facts_of(case: Case) -> Facts:
    """Solve a batch exactly."""
    cmdp, policy, previous = case
    return Facts(
        case,
        policy_values(cmdp, policy, cmdp.costs),
        policy_values(cmdp, previous, cmdp.costs),
        max_cost(cmdp, policy),
        optimal_adversary(cmdp, policy),
        ball_variation(cmdp, policy),
        total_variation(policy, previous),
        arrival_probability(cmdp),
        cmdp.costs.max((-3, -2, -1)),
    )


def lipschitz(policy: Floats) -> Floats:
    """The least L with TV(pi(. | s), pi(. | s')) <= L |s - s'| for states on a line, [N]."""
    place = np.arange(policy.shape[-2])
    apart = np.abs(place[:, None] - place)
    pairs = total_variation(policy[..., :, None, :], policy[..., None, :, :])
    return (pairs / np.where(apart > 0, apart, np.inf)).max((-2, -1))
