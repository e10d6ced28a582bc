"""The attack contract, and attacks that break it or miss the closed forms."""

from __future__ import annotations

from typing import Any

import torch
from mutants.trial import Trial, of
from torch import Tensor

from safer_gym.attacks import GradientAttack, MaxCost, RawGradient, Steepest, make_attack
from safer_gym.balls import LpBall
from safer_gym.conformance.contracts import ContractError, check_attack
from safer_gym.conformance.selfcheck.attacks import LINEAR, QUADRATIC, SIDE
from safer_gym.conformance.selfcheck.check import Refuted
from safer_gym.types import Attack, AttackResult, Victim

_MC = make_attack("mc", steps=3)


def _contract_law(attack: Attack) -> str:
    try:
        clauses = check_attack(attack, norms=("l2", "linf"), objective=MaxCost())
    except ContractError as error:
        raise Refuted(str(error)) from error
    return f"{len(clauses)} clauses"


def _scored(victim: Victim, obs: Tensor, points: Tensor) -> AttackResult:
    score = MaxCost()(victim, obs)
    with torch.no_grad():
        return AttackResult(points, score(points), score(obs))


def _minus_sign(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> AttackResult:
    q_cost = victim.q_cost
    assert q_cost is not None
    down = victim._replace(q_cost=lambda s, a: -q_cost(s, a))
    return _scored(victim, obs, _MC(down, obs, ball, generator).obs)


def _last_iterate(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> AttackResult:
    """Twenty full steps, and what came last instead of what was best."""
    points, score = obs, MaxCost()(victim, obs)
    for _ in range(20):
        leaf = points.clone().requires_grad_()
        (slope,) = torch.autograd.grad(score(leaf).sum(), leaf)
        points = ball.project(obs, points + ball.ascent_direction(slope))
    return _scored(victim, obs, points)


def _batch_mean_stop(
    victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None
) -> AttackResult:
    """All rows go on while the batch gains on average."""
    result = _MC(victim, obs, ball, generator)
    gain = result.objective - result.clean_objective
    return _scored(victim, obs, obs if gain.mean() < 0.9 * gain.max() else result.obs)


class _WarmStart:
    """Starts from where the batch before ended; remembers its answer to the same question."""

    def __init__(self) -> None:
        self.move, self.asked = torch.zeros(()), torch.zeros(0, dtype=torch.float64)
        self.answer: Any = None

    def __call__(
        self, victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None
    ) -> AttackResult:
        key = torch.cat([obs.flatten().double(), ball.eps.flatten()])
        if torch.isnan(key).any():
            raise ValueError("obs must be finite")
        if not torch.equal(self.asked, key):
            points = ball.project(obs, obs + self.move.to(obs))
            better = _scored(victim, obs, points)
            rise = better.objective >= better.clean_objective
            self.answer = _scored(victim, obs, torch.where(rise[:, None], points, obs))
            self.move, self.asked = (_MC(victim, obs, ball, generator).obs - obs)[0], key
        return self.answer


def _outside(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> AttackResult:
    moved = _MC(victim, obs, ball, generator).obs
    return _scored(victim, obs, obs + 1.001 * (moved - obs))


def _backward(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> AttackResult:
    MaxCost()(victim, obs)(obs.clone().requires_grad_()).sum().backward()
    return _MC(victim, obs, ball, generator)


def _small_steps(victim: Victim, obs: Tensor, ball: LpBall, generator: Any = None) -> AttackResult:
    """Ten steps of eps / 10 from a random point of the ball."""
    points, score = ball.sample(obs, generator), MaxCost()(victim, obs)
    for _ in range(10):
        leaf = points.clone().requires_grad_()
        (slope,) = torch.autograd.grad(score(leaf).sum(), leaf)
        points = ball.project(obs, points + 0.1 * ball.ascent_direction(slope))
    return _scored(victim, obs, points)


class _ScaledGradient:
    """A step along the gradient, scaled to the ball's size, whatever the norm."""

    def __call__(self, visit: Any, ball: LpBall, state: Any) -> tuple[Tensor, Any]:
        gauge = ball.gauge(visit.gradient).clamp(min=1e-300)
        return visit.points + visit.gradient / gauge[:, None], state


def _asked_at_the_lie(victim: Victim, obs: Tensor) -> Any:
    q_cost = victim.q_cost
    assert q_cost is not None
    return lambda points: q_cost(points, victim.action(points))


TRIALS = (
    Trial(
        "attacks",
        "contract",
        "best of all points, inside the ball, rows apart, no state, victim untouched",
        _contract_law,
        _MC,
        {
            "minus sign of Algorithm 3": _minus_sign,
            "early stop by the batch mean": _batch_mean_stop,
            "warm start": _WarmStart(),
            "a little outside": _outside,
            "backward() through the victim": _backward,
        },
    ),
    of(
        LINEAR,
        {
            "raw gradient steps": GradientAttack(MaxCost(), RawGradient()),
            "scaled gradient in l1": GradientAttack(MaxCost(), _ScaledGradient(), steps=1),
            "steps of eps / K from a random start": _small_steps,
            "minus sign of Algorithm 3": _minus_sign,
        },
    ),
    of(
        QUADRATIC,
        {
            "last iterate": _last_iterate,
            "one step": GradientAttack(MaxCost(), Steepest(), steps=1),
            "steps that never shrink": GradientAttack(MaxCost(), Steepest(shrink=1.0), steps=30),
            "minus sign of Algorithm 3": _minus_sign,
        },
    ),
    of(
        SIDE,
        {
            "Q(s~, mu(s~))": _asked_at_the_lie,
            "minus sign": lambda victim, obs: (
                lambda points: -victim.q_cost(obs, victim.action(points))
            ),
        },
    ),
)
