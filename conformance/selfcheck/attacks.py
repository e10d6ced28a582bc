"""Attacks where the optimum has a closed form, and the side from which a critic is asked."""

from __future__ import annotations

from typing import Any

import torch

from safer_gym.attacks import GradientAttack, MaxCost, Steepest
from safer_gym.balls import NORMS, LpBall
from safer_gym.conformance.contracts.toy_victim import (
    linear_optimum,
    linear_victim,
    observations,
    toy_victim,
)
from safer_gym.conformance.selfcheck.check import Check, refute_unless
from safer_gym.types import QFn


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


LINEAR = Check(
    "attacks",
    "linear optimum",
    "MC reaches eps times the dual norm in one walk, whatever the critic's scale",
    _optimum_law,
    GradientAttack(MaxCost(), Steepest()),
)
QUADRATIC = Check(
    "attacks",
    "quadratic optimum",
    "MC finds a maximum inside the ball, or on its rim",
    _quadratic_law,
    GradientAttack(MaxCost(), Steepest(), steps=30),
)
SIDE = Check(
    "attacks",
    "critic at the truth",
    "MC asks the critic at the true observation",
    _side_law,
    MaxCost(),
)
CHECKS = (LINEAR, QUADRATIC, SIDE)
