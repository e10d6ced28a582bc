"""What an attack says of itself. Nothing else in the package knows an attack by its name.

An attack of one's own declares what differs from the defaults, as attributes:

    class Push:
        cost_directed = True
        title = "push"
        def __call__(self, victim, obs, ball, generator=None): ...
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from safer_gym.types import Channel, Victim

CRITICS = ("q_reward", "q_cost")
GRADIENT = "gradient"


class Traits(NamedTuple):
    """The declared properties, with the defaults of those that an attack does not declare."""

    needs: tuple[str, ...] = ()
    """What the victim must have: some of CRITICS, and GRADIENT for a differentiable action."""
    cost_directed: bool = False
    """Seeks cost: climbs a cost critic, searches by one, or learned from cost. An evaluation
    without such an attack says nothing of the worst case."""
    per_row_noise: bool | None = None
    """Whether the rows of a batch draw noise of their own. Otherwise they share the attack's draws:
    with fixed draws it is one adversary, and episodes under it are independent. Of an attack
    that does not say (None), wrappers ask for one row at a time, and certificates take False."""
    held: bool = False
    """Whether the draws of an episode's first step are those of all its steps."""
    channel: Channel | None = None
    """The only channel on which the attack works; None: each."""
    title: str = ""
    """How reports call it."""
    words: str = ""
    """What it does, in a sentence or two for reports."""


def traits_of(attack: Any) -> Traits:
    """What `attack` declares, or else the attack within it (`attack`) or its `objective`.

    >>> from safer_gym.attacks import make_attack
    >>> traits_of(make_attack("mc")).needs
    ('q_cost', 'gradient')
    """
    within = getattr(attack, "attack", None) or getattr(attack, "objective", None)
    inherited = Traits() if within is None else traits_of(within)
    declared = {name: getattr(attack, name) for name in Traits._fields if hasattr(attack, name)}
    return inherited._replace(**declared)


def climbs_cost_critic(attack: Any) -> bool:
    """Whether what an attack finds depends on the policy's own cost critic."""
    return "q_cost" in traits_of(attack).needs


def lacking(attack: Any, victim: Victim, *, has_gradient: bool = True) -> tuple[str, ...]:
    """What an attack needs and a victim does not have; empty where it can run.

    Args:
        has_gradient: whether the victim's action is a differentiable function.
    """
    absent = {name for name in CRITICS if getattr(victim, name) is None}
    if not has_gradient:
        absent.add(GRADIENT)
    return tuple(name for name in traits_of(attack).needs if name in absent)


def has_gradient(victim: Victim, obs: Tensor) -> bool:
    """Whether the action is a differentiable function of the observation."""
    with torch.enable_grad():
        leaf = obs.detach().clone().requires_grad_(True)
        try:
            return bool(victim.judged(leaf).requires_grad)
        except RuntimeError:  # numpy of a tensor that needs gradients
            return False


def union(*attacks: Any) -> tuple[str, ...]:
    """All that several attacks or objectives need, each once."""
    return tuple(dict.fromkeys(name for attack in attacks for name in traits_of(attack).needs))
