"""Attacks: objective x step rule on a channel's ball.

`make_attack("mc")` is the usual way in. Every attack is a frozen dataclass with no state between
calls: `attack(victim, obs, ball, generator) -> AttackResult`. What holds for all of them:

- the best point found is returned, row by row, and is never worse than the clean observation;
- the result lies in the ball on the observation's own dtype, and eps = 0 changes nothing;
- without a generator a call is deterministic; the global generators are never used;
- gradients are taken with respect to the observation alone: parameters, their `.grad` and the
  train/eval mode of the policy stay as they are.
"""

from safer_gym.attacks.bang_bang import BangBang
from safer_gym.attacks.ensemble import Ensemble, WithCritics
from safer_gym.attacks.gradient import GradientAttack
from safer_gym.attacks.maximise import maximise
from safer_gym.attacks.noise import GaussianNoise, NullAttack, UniformNoise
from safer_gym.attacks.objectives import (
    MaxActionDifference,
    MaxCost,
    MaxReward,
    MinReward,
    Mixture,
    Objective,
)
from safer_gym.attacks.random_search import RandomSearch
from safer_gym.attacks.registry import (
    ATTACKS,
    OBJECTIVES,
    attack_options,
    make_attack,
    make_objective,
    register_attack,
)
from safer_gym.attacks.step_rules import AdamAscent, RawGradient, Steepest, StepRule
from safer_gym.attacks.traits import Traits, has_gradient, lacking, traits_of

__all__ = [
    "ATTACKS",
    "OBJECTIVES",
    "AdamAscent",
    "BangBang",
    "Ensemble",
    "GaussianNoise",
    "GradientAttack",
    "MaxActionDifference",
    "MaxCost",
    "MaxReward",
    "MinReward",
    "Mixture",
    "NullAttack",
    "Objective",
    "RandomSearch",
    "RawGradient",
    "Steepest",
    "StepRule",
    "Traits",
    "UniformNoise",
    "WithCritics",
    "attack_options",
    "has_gradient",
    "lacking",
    "make_attack",
    "make_objective",
    "maximise",
    "register_attack",
    "traits_of",
]
