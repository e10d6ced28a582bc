"""Observation smoothing: the reach of a step, and the bound of an episode."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from core.bounds.nets import normal
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.balls import NORMS, LpBall
from safer_gym.bounds import (
    gaussian_filter,
    smoothing_bound,
    smoothing_shift,
)


@given(st.sampled_from(NORMS), st.integers(0, 1000))
def test_no_point_of_the_ball_is_farther(norm: str, seed: int) -> None:
    eps, std = normal(seed, 5).abs() + 0.01, normal(seed + 1, 5).abs() + 0.1
    ball, center = LpBall.of(norm, eps), torch.zeros(300, 5, dtype=torch.float64)
    far = ball.ascent_direction(normal(seed + 2, 300, 5) * torch.eye(5).repeat(60, 1).double())
    points = torch.cat(
        [
            ball.sample(center),
            ball.project(center, far),
            ball.ascent_direction(torch.ones(1, 5, dtype=torch.float64)),
        ]
    )
    lengths = (points / std).norm(dim=1)
    reach = smoothing_shift(ball, std, (5,))
    assert (lengths <= reach).all()
    assert lengths.max() >= 0.999 * reach


@pytest.mark.parametrize(("norm", "size"), [("linf", math.sqrt(8)), ("l2", 1.0), ("l1", 1.0)])
def test_an_episode_of_steps(norm: str, size: float) -> None:
    """Per-step eps means a total of eps sqrt(H) in l2, eps sqrt(d H) in linf."""
    bound = smoothing_bound(0.01, LpBall.of(norm, 0.002), 0.1, (8,), 200)
    assert bound == pytest.approx(gaussian_filter(0.01, size * 0.02 * math.sqrt(200)), rel=1e-4)


def test_frozen_dimensions_need_no_noise() -> None:
    ball = LpBall.of("linf", [0.1, 0.0])
    assert smoothing_shift(ball, [0.2, 0.0], (2,)) == pytest.approx(0.5, rel=1e-5)
    assert smoothing_shift(ball, [0.0, 0.2], (2,)) == np.inf
    assert smoothing_bound(0.1, ball, [0.0, 0.2], (2,), 5) == 1.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: smoothing_shift(LpBall.of("l2", 0.1), -1.0, (2,)), "noise_std"),
        (lambda: smoothing_bound(0.1, LpBall.of("l2", 0.1), 1.0, (2,), 0), "steps"),
    ],
)
def test_bad_input_is_named(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
