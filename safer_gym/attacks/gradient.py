"""Attacks that climb by gradients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from safer_gym.attacks.inputs import checked_scores, prepare
from safer_gym.attacks.maximise import maximise
from safer_gym.attacks.objectives import Objective
from safer_gym.attacks.step_rules import Steepest, StepRule
from safer_gym.attacks.traits import GRADIENT, traits_of
from safer_gym.balls import LpBall
from safer_gym.domains import AT_LEAST_ONE, FLAG, require
from safer_gym.types import AttackResult, Victim


@dataclass(frozen=True)
class GradientAttack:
    """Ascend an objective inside a ball.

    Each row keeps its best point, the clean one included, and stops by itself once it no longer
    moves. Nothing of the policy is touched: gradients are taken with respect to the observation
    alone.

    Args:
        objective: what to make large.
        step_rule: how to walk.
        steps: gradient steps of each walk, >= 1. Each costs a forward and a backward pass.
        restarts: number of walks, >= 1. Walks after the first start at a random point.
        random_start: start the first walk at a random point too (MAD needs it: its gradient is
            zero at the clean observation).

    Random offsets are shared by the rows of a batch, so a row's result does not depend on its
    neighbours. A row with a gradient of exactly zero jumps to such an offset.
    """

    per_row_noise: ClassVar = False

    objective: Objective
    step_rule: StepRule = field(default_factory=Steepest)
    steps: int = 10
    restarts: int = 1
    random_start: bool = False

    def __post_init__(self) -> None:
        require(AT_LEAST_ONE, steps=self.steps, restarts=self.restarts)
        require(FLAG, random_start=self.random_start)

    @property
    def needs(self) -> tuple[str, ...]:
        """What the objective needs, and a gradient."""
        return (*traits_of(self.objective).needs, GRADIENT)

    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        with torch.inference_mode(False), torch.no_grad():
            obs = prepare(obs)
            score = checked_scores(self.objective(victim, obs), obs)
            found = maximise(
                score,
                obs,
                ball,
                self.step_rule,
                generator,
                steps=self.steps,
                restarts=self.restarts,
                random_start=self.random_start,
            )
        return AttackResult(*found)
