"""Tiny ReLU networks, whose exact maximum over a ball is a handful of linear programs (C5).

Order that must hold: gradient ascent <= exact <= CROWN <= intervals.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from core.bounds.nets import RELU, interval_bounds, network, normal
from scipy.optimize import linprog
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds import Layers, enclose, evaluate
from safer_gym.bounds.network import in_float64
from safer_gym.bounds.region import region_of

EPS = 0.4


def exact_maximum(layers: Layers, obs: Tensor, norm: str) -> float:
    """Over all activation patterns of one hidden layer: a linear program in each one's cell."""
    (w1, b1), _, (w2, b2) = layers
    w1, b1, w2, b2 = (t.numpy() for t in (w1, b1, w2, b2))
    d, n, best = len(obs), len(b1), -np.inf
    for pattern in product([0.0, 1.0], repeat=n):
        on = np.array(pattern)
        gradient = (w2[0] * on) @ w1
        constant = (w2[0] * on) @ b1 + b2[0]
        sign = 1 - 2 * on  # on: -(w x + b) <= 0; off: w x + b <= 0
        cell, cell_limit = sign[:, None] * w1, -sign * b1
        if norm == "l1":  # |x - s| <= t, sum t <= eps
            eye = np.eye(d)
            center = obs.numpy()
            a = np.block(
                [
                    [cell, np.zeros((n, d))],
                    [eye, -eye],
                    [-eye, -eye],
                    [np.zeros((1, d)), np.ones((1, d))],
                ]
            )
            limit = np.concatenate([cell_limit, center, -center, [EPS]])
            cost = np.concatenate([-gradient, np.zeros(d)])
            bounds = [(None, None)] * d + [(0, None)] * d
        else:
            a, limit, cost = cell, cell_limit, -gradient
            bounds = [(float(s) - EPS, float(s) + EPS) for s in obs]
        found = linprog(cost, A_ub=a, b_ub=limit, bounds=bounds)
        if found.status == 0:
            best = max(best, constant - found.fun)
    return best


def ascent(layers: Layers, obs: Tensor, ball: LpBall) -> Tensor:
    best = evaluate(layers, obs)[:, 0]
    x = obs.clone()
    for step in range(40):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(evaluate(layers, x).sum(), x)
        x = ball.project(obs, x.detach() + 0.9**step * ball.ascent_direction(gradient))
        best = torch.maximum(best, evaluate(layers, x)[:, 0])
    return best


@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_ascent_exact_crown_intervals_in_this_order(norm: str) -> None:
    gaps = []
    for seed in range(6):
        layers, obs = network(seed, (3, 6, 1), RELU), normal(seed, 2, 3)
        ball = LpBall.of(norm, EPS)
        exact = torch.tensor([exact_maximum(layers, row, norm) for row in obs])
        found, crown = ascent(layers, obs, ball), enclose(layers, obs, ball).upper[:, 0]
        box = interval_bounds(in_float64(layers), region_of(obs, ball).box).upper[:, 0]
        assert (found <= exact + 1e-6).all()
        assert (exact <= crown).all()
        assert (crown <= box + 1e-9).all()
        clean = evaluate(layers, obs)[:, 0]
        gaps.append((crown - clean) / (exact - clean))
    assert torch.cat(gaps).mean() < 1.3  # a bound that is far off would pass the order too
    assert torch.cat(gaps).min() < 1.001  # and is attained where no unit straddles
