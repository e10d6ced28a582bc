"""What an adversary that learns is after: its reward at each step of the policy's episode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from safer_gym.attacks import Traits

Gain = Callable[[float, float, Mapping[str, Any]], float]
"""(reward, cost, info) of a step to what the adversary earns."""


class Goal(NamedTuple):
    """One goal."""

    gain: Gain
    traits: Traits
    """Of the attack that is learned."""
    tempted: bool = False
    """Whether what tempts the policy is worth something to the adversary, too: where the gain is
    mostly zero, the policy's own reward often leads to where it is not."""


def cost_of(reward: float, cost: float, info: Mapping[str, Any]) -> float:
    """The step's cost."""
    return cost


def loss_of(reward: float, cost: float, info: Mapping[str, Any]) -> float:
    """Minus the policy's reward."""
    return -reward


def danger_of(reward: float, cost: float, info: Mapping[str, Any]) -> float:
    """Minus h: the deeper the violation, the more.

    Raises:
        ValueError: the environment reports no h.
    """
    if "h" not in info:
        raise ValueError(
            "the safety adversary minimises info['h'], the constraint function, which this "
            "environment does not report; 'cost_adversary' maximises the cost of any environment"
        )
    return -float(info["h"])


COST = Goal(
    cost_of,
    Traits(
        cost_directed=True,
        title="cost adversary",
        words="A network that learned to maximise the cost of this policy.",
    ),
    tempted=True,
)
GOALS = {
    "cost_adversary": COST,
    "performance_adversary": Goal(
        loss_of,
        Traits(
            title="performance adversary",
            words="A network that learned to minimise the reward of this policy.",
        ),
    ),
    "safety_adversary": Goal(
        danger_of,
        Traits(
            cost_directed=True,
            title="safety adversary",
            words="A network that learned to minimise the constraint function h of this policy.",
        ),
    ),
}
"""By the names that `evaluate` knows."""
