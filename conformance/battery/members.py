"""A battery's members: attacks under their labels."""

from __future__ import annotations

from typing import NamedTuple

from safer_gym.types import Attack

NULL = "null"
"""The label of no attack at all: part of every battery."""


class Member(NamedTuple):
    """One attack of a battery."""

    attack: Attack
    own_noise: bool = False
    """The rows of a batch draw noise of their own. Otherwise the attack's draws, which rows
    share, are fixed beforehand: one adversary, and episodes independent of each other."""
    gradient: bool = False
    """Climbs by gradients of the policy."""
