"""Attacks on observations: objective x ball x step rule.

`make_attack("mc")` is the usual way in. Every attack is a frozen dataclass with no state between
calls: `attack(victim, obs, ball, generator) -> AttackResult`.
"""

from safer_gym.attacks.factory import ATTACKS, make_attack
from safer_gym.attacks.gradient import GradientAttack
from safer_gym.attacks.objectives import (
    MaxActionDifference,
    MaxCost,
    MaxReward,
    MinReward,
    Mixture,
    Objective,
)
from safer_gym.attacks.step_rules import AdamAscent, RawGradient, Steepest, StepRule

__all__ = [
    "ATTACKS",
    "AdamAscent",
    "GradientAttack",
    "MaxActionDifference",
    "MaxCost",
    "MaxReward",
    "MinReward",
    "Mixture",
    "Objective",
    "RawGradient",
    "Steepest",
    "StepRule",
    "make_attack",
]
