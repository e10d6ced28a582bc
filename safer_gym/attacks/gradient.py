"""The one loop of all gradient attacks: walk, project, remember the best."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from safer_gym.attacks.inputs import as_rows, checked_scores, prepare, quiet_generator
from safer_gym.attacks.objectives import Objective, Score
from safer_gym.attacks.step_rules import Steepest, StepRule, Visit
from safer_gym.balls import LpBall
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
        steps: gradient steps of each walk, >= 1. Each costs one forward and one backward pass.
        restarts: number of walks, >= 1. Walks after the first start at a random point.
        random_start: start the first walk at a random point too (MAD needs it: its gradient is
            zero at the clean observation).

    Random offsets are shared by the rows of a batch, so a row's result does not depend on its
    neighbours. A row with a gradient of exactly zero jumps to such an offset.
    """

    objective: Objective
    step_rule: StepRule = field(default_factory=Steepest)
    steps: int = 10
    restarts: int = 1
    random_start: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "restarts"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be an integer >= 1; got {value!r}")

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
            clean, gradient = _value_and_gradient(score, obs)
            best = _Best(obs, clean, gradient)
            if not ball.is_point:
                generator = quiet_generator(generator)
                for walk in range(self.restarts):
                    at_random = self.random_start or walk > 0
                    best = self._walk(score, obs, ball, generator, best, clean, gradient, at_random)
            return AttackResult(best.points, best.values, clean)

    def _walk(
        self,
        score: Score,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator,
        overall: _Best,
        clean: Tensor,
        gradient: Tensor,
        at_random: bool,
    ) -> _Best:
        points, values = obs, clean
        if at_random:
            points = ball.project(obs, obs + ball.offsets(obs[:1], generator))
            values, gradient = _value_and_gradient(score, points)
        offset = None
        best, state = _Best(points, values, gradient), None
        improved = torch.ones_like(values, dtype=torch.bool)
        for k in range(self.steps):
            visit = Visit(points, gradient, improved, best.points, best.gradient)
            wanted, state = self.step_rule(visit, ball, state)
            flat = ~gradient.flatten(1).any(1)
            if bool(flat.any()):
                offset = offset if offset is not None else ball.offsets(obs[:1], generator)
                wanted = torch.where(as_rows(flat, obs), obs + offset, wanted)
            moved = ball.project(obs, wanted)
            if torch.equal(moved, points):
                break
            points = moved
            if k + 1 < self.steps:
                values, gradient = _value_and_gradient(score, points)
            else:
                values = score(points)
            improved = values > best.values
            best = best.updated(improved, points, values, gradient)
        return overall.updated(
            best.values > overall.values, best.points, best.values, best.gradient
        )


class _Best(NamedTuple):
    points: Tensor
    values: Tensor
    gradient: Tensor

    def updated(self, where: Tensor, points: Tensor, values: Tensor, gradient: Tensor) -> Any:
        rows = as_rows(where, points)
        return _Best(
            torch.where(rows, points, self.points),
            torch.where(where, values, self.values),
            torch.where(rows, gradient, self.gradient),
        )


def _value_and_gradient(score: Score, points: Tensor) -> tuple[Tensor, Tensor]:
    """Objective [B] and its gradient [B, *O] at `points`, through the observation alone."""
    with torch.enable_grad():
        leaf = points.detach().clone().requires_grad_(True)
        values = score(leaf)
        gradient = None
        if values.requires_grad:
            (gradient,) = torch.autograd.grad(values.sum(), leaf, allow_unused=True)
    if gradient is None:
        raise ValueError(
            "the victim gives no gradient: its action is not a differentiable torch function of "
            "the observation (numpy inside, detach() or no_grad() do this); use a gradient-free "
            "attack instead: 'random_search', 'uniform' or 'gaussian'"
        )
    return values.detach(), torch.nan_to_num(gradient, nan=0.0)
