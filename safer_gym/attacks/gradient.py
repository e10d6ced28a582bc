"""The one loop of all gradient attacks: walk, project, remember the best."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from safer_gym.attacks.analytic import AnalyticScore
from safer_gym.attacks.box_walk import Box, box_walk
from safer_gym.attacks.inputs import as_rows, checked_scores, draw_seed, prepare
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
        quiet = np.errstate(all="ignore")  # what is not a number never wins
        with torch.inference_mode(False), torch.no_grad(), quiet:
            obs = prepare(obs)
            score = checked_scores(self.objective(victim, obs), obs)
            if ball.is_point:
                values = score(obs)
                return AttackResult(obs, values, values)
            clean = _look(score, obs)
            seed = draw_seed(generator)
            starts = _offsets(obs, ball, self.restarts, seed)
            best = clean
            for walk in range(self.restarts):
                start = clean
                if walk > 0 or self.random_start:
                    start = _look(score, ball.project(obs, obs + starts()[walk]))
                jumps = _offsets(obs, ball, self.steps, seed + 1 + walk)
                found = self._walk(score, obs, ball, start, jumps)
                best = found if start is best else best.better(found)
            return AttackResult(best.points, best.values, clean.values)

    def _walk(
        self, score: Score, obs: Tensor, ball: LpBall, start: _Place, jumps: Callable[[], Tensor]
    ) -> _Place:
        """The best place of one walk. `jumps()[k]` is how far flat rows go at step k."""
        if isinstance(score, AnalyticScore) and _in_a_box(self.step_rule, obs, ball):
            box, rule = Box.around(obs, ball), cast(Steepest, self.step_rule)
            found = box_walk(score, start, box, rule, self.steps, lambda: obs + jumps()[:, None])
            return _Place(*found, start.gradient)
        here = best = start
        state: Any = None
        improved = torch.ones_like(start.values, dtype=torch.bool)
        settled: Tensor | None = None
        n_settled = 0
        project = ball.around(obs)
        for k in range(self.steps):
            wanted, state = self.step_rule(Visit(here.points, here.gradient, improved), ball, state)
            flat = _rows_without(here.gradient)
            if flat is not None:
                wanted = torch.where(as_rows(flat, obs), obs + jumps()[k], wanted)
            points = project(wanted)
            if settled is not None:
                points = torch.where(as_rows(settled, obs), here.points, points)
            still = _rows_at_rest(points, here.points, n_settled)
            if still is not None:
                settled = _settled(still if flat is None else still & ~flat, ball, project, here)
                n_settled = int(settled.sum())
                if n_settled == len(obs):
                    break
                points = torch.where(as_rows(settled, obs), here.points, points)
            here = _look(score, points)
            improved = here.values > best.values
            best = best.where(improved, here)
            if flat is not None:
                improved = improved | flat
        return best


class _Place(NamedTuple):
    """A point for each row, and what the objective looks like there."""

    points: Tensor
    values: Tensor
    gradient: Tensor

    def better(self, other: _Place) -> _Place:
        """Row by row the place of the higher value; NaN never wins."""
        return self.where(other.values > self.values, other)

    def where(self, wins: Tensor, other: _Place) -> _Place:
        """`other` in the rows of `wins` [B]; the gradient is not kept up."""
        rows = as_rows(wins, self.points)
        return _Place(
            torch.where(rows, other.points, self.points),
            torch.where(wins, other.values, self.values),
            self.gradient,
        )


def _in_a_box(rule: StepRule, obs: Tensor, ball: LpBall) -> bool:
    """Whether `box_walk` walks the same way."""
    in_numpy = obs.device.type == "cpu" and obs.dtype in (torch.float32, torch.float64)
    return type(rule) is Steepest and ball.p == math.inf and in_numpy


def _rows_without(gradient: Tensor) -> Tensor | None:
    """Rows whose gradient is zero, bool [B]; None where there is none, as nearly always."""
    if bool(gradient.all()):
        return None
    sloped = gradient.flatten(1).any(1)
    return None if bool(sloped.all()) else ~sloped


def _rows_at_rest(points: Tensor, before: Tensor, known: int) -> Tensor | None:
    """Rows that did not move, bool [B]; None where they are the `known` ones alone."""
    moved = (points != before).flatten(1).any(1)
    return None if int(torch.count_nonzero(moved)) + known == len(moved) else ~moved


def _settled(
    still: Tensor, ball: LpBall, project: Callable[[Tensor], Tensor], here: _Place
) -> Tensor:
    """Which of the rows `still` have no way up from where they are, bool [B]."""
    upward = project(here.points + ball.ascent_direction(here.gradient, here.points))
    return still & (upward == here.points).flatten(1).all(1)


def _offsets(obs: Tensor, ball: LpBall, n: int, seed: int) -> Callable[[], Tensor]:
    """`n` random offsets [n, *O], drawn when first asked for."""

    @cache
    def draw() -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return ball.offsets(obs[:1].expand(n, *obs.shape[1:]), generator)

    return draw


def _look(score: Score, points: Tensor) -> _Place:
    """Values [B] and gradients [B, *O] at `points`, through the observation alone."""
    if isinstance(score, AnalyticScore):
        values, gradient = score.look(points)
        return _Place(points, values, torch.nan_to_num(gradient, nan=0.0))
    with torch.enable_grad():
        leaf = points.detach().clone().requires_grad_(True)
        values = score(leaf)
        found: Tensor | None = None
        if values.requires_grad:
            (found,) = torch.autograd.grad(values.sum(), leaf, allow_unused=True)
    if found is None:
        raise ValueError(
            "the victim gives no gradient: its action is not a differentiable torch function of "
            "the observation (numpy inside, detach() or no_grad() do this); use a gradient-free "
            "attack instead: 'random_search', 'uniform' or 'gaussian'"
        )
    return _Place(points, values.detach(), torch.nan_to_num(found, nan=0.0))
