"""A battery's members: attacks under their labels."""

from __future__ import annotations

from typing import NamedTuple

from safer_gym.attacks import NullAttack, traits_of
from safer_gym.attacks.traits import GRADIENT
from safer_gym.types import Attack

NULL = "null"
"""The label of no attack at all: part of every battery."""

ADVERSARIES = {
    "learned": "cost_adversary",
    "safety adversary": "safety_adversary",
    "performance adversary": "performance_adversary",
}
"""Goals of the adversaries that are learned, by label."""
BROUGHT = {
    "own safety adversary": "own_safety_adversary",
    "own performance adversary": "own_performance_adversary",
}
"""Names of the adversaries that a policy brings along, by label."""


class Member(NamedTuple):
    """One attack of a battery."""

    attack: Attack
    own_noise: bool = False
    """The rows of a batch draw noise of their own. Otherwise the attack's draws, which rows
    share, are fixed beforehand: one adversary, and episodes independent of each other."""
    gradient: bool = False
    """Climbs by gradients of the policy."""
    cost_directed: bool = False
    """Seeks cost. A battery without such an attack says nothing of the worst case."""

    @classmethod
    def of(cls, attack: Attack) -> Member:
        """A member with the traits that the attack declares."""
        traits = traits_of(attack)
        own_noise, gradient = bool(traits.per_row_noise), GRADIENT in traits.needs
        return cls(attack, own_noise, gradient, traits.cost_directed)


NONE = {NULL: Member.of(NullAttack())}
"""The battery of no attack."""
