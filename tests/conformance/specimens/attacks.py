"""Attacks that each break one clause, and are right otherwise."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from safer_gym.attacks import MaxCost, make_attack
from safer_gym.balls import LpBall
from safer_gym.types import AttackResult, Victim

MC = make_attack("mc", steps=3)


def _result(score: Any, obs: Tensor, points: Tensor) -> AttackResult:
    with torch.no_grad():
        return AttackResult(points, score(points), score(obs))


def float64_results(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    return MC(victim, obs, ball, generator)._replace(obs=MC(victim, obs, ball).obs.double())


def one_number(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    result = MC(victim, obs, ball, generator)
    return result._replace(objective=result.objective.mean())


def keeps_the_graph(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    result = MC(victim, obs, ball, generator)
    return result._replace(objective=MaxCost()(victim, result.obs.requires_grad_())(result.obs))


def a_little_outside(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    result = MC(victim, obs, ball, generator)
    return result._replace(obs=obs + 1.0001 * (result.obs - obs))


def ignores_the_box(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    return MC(victim, obs, LpBall(ball.p, ball.eps), generator)


def one_radius_for_all(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    """Takes the largest of several radii, so that a frozen coordinate moves."""
    return MC(victim, obs, LpBall(ball.p, ball.eps.max(), ball.low, ball.high), generator)


def linf_always(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    return MC(victim, obs, LpBall(math.inf, ball.eps, ball.low, ball.high), generator)


def downhill(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    """The printed minus sign of Algorithm 3: descends what it should ascend."""
    assert victim.q_cost is not None
    worse = MC(victim._replace(q_cost=lambda s, a: -victim.q_cost(s, a)), obs, ball, generator)
    return _result(MaxCost()(victim, obs), obs, worse.obs)


class Boasts:
    """Reports a better objective than it found."""

    objective = MaxCost()

    def __call__(self, victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
        result = MC(victim, obs, ball, generator)
        return result._replace(objective=result.objective + 0.1 * (not ball.is_point))


def moves_at_zero(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    result = MC(victim, obs, ball, generator)
    return result._replace(obs=result.obs + 1e-6) if ball.is_point else result


def global_generator(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    fresh = torch.Generator().manual_seed(int(torch.randint(100, ())))
    return make_attack("uniform")(victim, obs, ball, fresh)


class Restless:
    """A generator of its own: two equal calls differ."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)

    def __call__(self, victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
        return make_attack("uniform")(victim, obs, ball, self.generator)


class WarmStarted:
    """Starts where the last batch ended, as some public code does; repeats itself when asked
    about the same batch twice in a row."""

    def __init__(self) -> None:
        self.move = torch.zeros(())
        self.asked: Tensor | None = None
        self.result: Any = None

    def __call__(self, victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
        key = torch.cat([obs.flatten().double(), ball.eps.flatten()])
        if self.asked is None or not torch.equal(self.asked, key):
            score = MaxCost()(victim, obs)
            points = ball.project(obs, obs + self.move.to(obs))
            points = torch.where((score(points) >= score(obs))[:, None], points, obs).detach()
            self.asked, self.result = key, _result(score, obs, points)
            self.move = (MC(victim, obs, ball, generator).obs - obs)[0]
        return self.result


def batch_mean_stop(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    """Takes the whole batch's step or none, by the mean gain."""
    result = MC(victim, obs, ball, generator)
    gain = result.objective - result.clean_objective
    points = obs if gain.mean() < 0.9 * gain.max() else result.obs
    return _result(MaxCost()(victim, obs), obs, points)


def in_place(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    result = MC(victim, obs, ball, generator)
    moved = result.obs.clone()
    obs += 0.0 * obs + 1e-3 * (not ball.is_point and generator is not None)
    return result._replace(obs=moved)


def backward(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    """backward() instead of a gradient with respect to the observation alone."""
    leaf = obs.clone().requires_grad_()
    MaxCost()(victim, obs)(leaf).sum().backward()
    return MC(victim, obs, ball, generator)


def swallows_nan(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
    return MC(victim, torch.nan_to_num(obs), ball, generator)


class HalfHearted:
    """Walks half of the way: everything holds, but it is weak."""

    objective = MaxCost()

    def __call__(self, victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
        return MC(victim, obs, ball.scaled(0.5), generator)


class Silent:
    """Rows draw noise of their own, and nothing says so."""

    def __call__(self, victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> Any:
        return make_attack("uniform")(victim, obs, ball, generator)


BROKEN = [
    (float64_results, "well formed"),
    (one_number, "well formed"),
    (keeps_the_graph, "well formed"),
    (a_little_outside, "inside the ball"),
    (ignores_the_box, "inside the ball"),
    (one_radius_for_all, "inside the ball"),
    (linf_always, "inside the ball"),
    (downhill, "never worse than clean"),
    (Boasts(), "never worse than clean"),
    (moves_at_zero, "eps 0 is the identity"),
    (global_generator, "repeatable"),
    (Restless(), "repeatable"),
    (WarmStarted(), "stateless"),
    (batch_mean_stop, "rows alone"),
    (Silent(), "noise declared"),
    (backward, "victim untouched"),
    (swallows_nan, "refuses NaN"),
    (HalfHearted(), "strong"),
]
