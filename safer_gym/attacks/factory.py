"""Attacks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from safer_gym.attacks.gradient import GradientAttack
from safer_gym.attacks.objectives import (
    MaxActionDifference,
    MaxCost,
    MaxReward,
    MinReward,
    Mixture,
    Objective,
)
from safer_gym.attacks.step_rules import StepRule, make_step_rule
from safer_gym.choices import choose
from safer_gym.types import Attack


def _gradient(objective: Callable[..., Objective], random_start: bool = False) -> Any:
    def make(
        *,
        step_rule: str | StepRule = "steepest",
        step_size: float | None = None,
        objective_options: dict[str, Any] | None = None,
        random_start: bool = random_start,
        **loop: int,
    ) -> Attack:
        rule = make_step_rule(step_rule, step_size)
        goal = objective(**(objective_options or {}))
        return GradientAttack(goal, rule, random_start=random_start, **loop)

    return make


_MAKERS: dict[str, Callable[..., Attack]] = {
    "mc": _gradient(MaxCost),
    "mr": _gradient(MaxReward),
    "mixture": _gradient(Mixture),
    "min_reward": _gradient(MinReward),
    "mad": _gradient(MaxActionDifference, random_start=True),
}

ATTACKS = tuple(_MAKERS)
"""The names that `make_attack` knows."""


def make_attack(name: str, **options: Any) -> Attack:
    """An attack by name, with options of its constructor."""
    return _MAKERS[choose("attack", name, ATTACKS)](**options)
