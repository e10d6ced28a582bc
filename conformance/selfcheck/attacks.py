"""The attack contract, the closed-form optima, and the side from which a critic is asked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from safer_gym.attacks import GradientAttack, MaxCost, RawGradient, Steepest, make_attack
from safer_gym.balls import NORMS, LpBall
from safer_gym.conformance.contracts import ContractError, check_attack
from safer_gym.conformance.contracts.toy_victim import (
    linear_optimum,
    linear_victim,
    observations,
    toy_victim,
)
from safer_gym.conformance.selfcheck.check import Check, Refuted, refute_unless
from safer_gym.types import Attack, AttackResult, QFn, Victim

_MC = make_attack("mc", steps=3)


def _contract_law(attack: Attack) -> str:
    try:
        clauses = check_attack(attack, norms=("l2", "linf"), objective=MaxCost())
    except ContractError as error:
        raise Refuted(str(error)) from error
    return f"{len(clauses)} clauses"


def _optimum_law(make: Any) -> str:
    """MC on linear victims of critics scaled from 1e-3 to 1: all of the dual norm."""
    worst = 1.0
    for norm in NORMS:
        for scale in (1.0, 1e-3):
            gain = observations((5,), 1, 3, torch.float64).flatten()
            obs, ball = observations((5,), 4, 0, torch.float64), LpBall.of(norm, 0.3)
            victim = linear_victim(gain)
            scaled = victim._replace(q_cost=_first_action(scale))
            moved = make(scaled, obs, ball, torch.Generator().manual_seed(0)).obs
            reached = ((moved - obs) @ gain / linear_optimum(gain, ball)).min()
            worst = min(worst, float(reached))
            refute_unless(
                reached >= 0.999, f"{norm}, critic times {scale:g}: {reached:.1%} of the optimum"
            )
    return f"at least {worst:.2%} of the optimum in every norm"


def _first_action(scale: float) -> QFn:
    return lambda obs, action: scale * action[:, 0]


def _quadratic_law(make: Any) -> str:
    """MC where Q_c = -(a - t)^2 and mu(s) = s: the answer is t, clamped to the ball."""
    obs = observations((1,), 20, 0, torch.float64)
    target = 0.3 * observations((1,), 20, 1, torch.float64)[:, 0] + 0.15
    victim = linear_victim(torch.ones(1, dtype=torch.float64))
    bent = victim._replace(q_cost=lambda s, a: -((a[:, 0] - s[:, 0] - target) ** 2))
    moved = (make(bent, obs, LpBall.of("linf", 0.3), None).obs - obs)[:, 0]
    error = float((moved - target.clamp(-0.3, 0.3)).abs().max())
    refute_unless(error <= 0.01, f"misses the maximum by up to {error:.2g}")
    return f"within {error:.1g} of it"


def _side_law(objective: Any) -> str:
    """The objective of MC is Q_c(s, mu(s~)), asked at the true observation."""
    victim = toy_victim((4,), 2, torch.float64).victim()
    obs, lie = (observations((4,), 6, seed, torch.float64) for seed in (0, 1))
    assert victim.q_cost is not None
    with torch.no_grad():
        told, right = objective(victim, obs)(lie), victim.q_cost(obs, victim.action(lie))
    error = float((told - right).abs().max())
    refute_unless(error <= 1e-9, f"differs from Q_c(s, mu(s~)) by up to {error:.2g}")
    return "Q_c(s, mu(s~)) to 1e-9"


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


CHECKS = (
    Check(
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
    Check(
        "attacks",
        "linear optimum",
        "MC reaches eps times the dual norm in one walk, whatever the critic's scale",
        _optimum_law,
        GradientAttack(MaxCost(), Steepest()),
        {
            "raw gradient steps": GradientAttack(MaxCost(), RawGradient()),
            "scaled gradient in l1": GradientAttack(MaxCost(), _ScaledGradient(), steps=1),
            "steps of eps / K from a random start": _small_steps,
            "minus sign of Algorithm 3": _minus_sign,
        },
    ),
    Check(
        "attacks",
        "quadratic optimum",
        "MC finds a maximum inside the ball, or on its rim",
        _quadratic_law,
        GradientAttack(MaxCost(), Steepest(), steps=30),
        {
            "last iterate": _last_iterate,
            "one step": GradientAttack(MaxCost(), Steepest(), steps=1),
            "steps that never shrink": GradientAttack(MaxCost(), Steepest(shrink=1.0), steps=30),
            "minus sign of Algorithm 3": _minus_sign,
        },
    ),
    Check(
        "attacks",
        "critic at the truth",
        "MC asks the critic at the true observation",
        _side_law,
        MaxCost(),
        {
            "Q(s~, mu(s~))": _asked_at_the_lie,
            "minus sign": lambda victim, obs: (
                lambda points: -victim.q_cost(obs, victim.action(points))
            ),
        },
    ),
)
