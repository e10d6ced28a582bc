"""Smoothed policies: the noise is there, is fresh, and the bound holds and is reached."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from safer_gym.balls import LpBall
from safer_gym.wrappers.policies.smoothing import SmoothedPolicy


class Threshold(torch.nn.Module):
    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        return (obs.sum(-1, keepdim=True) > 1.2).to(obs)


def rate(policy: SmoothedPolicy, delta: float, n: int) -> int:
    obs = torch.full((n, 4), delta)
    return int(policy.draw(obs, torch.Generator().manual_seed(0)).sum())


def test_the_bound_is_reached_by_the_best_attack_on_a_half_space() -> None:
    policy, n = SmoothedPolicy(Threshold(), 0.5), 200_000
    ball = LpBall.of("l2", 0.3)
    p = rate(policy, 0.0, n) / n
    attacked = rate(policy, 0.15, n)  # 0.3 in l2 along the normal of the half space
    bound = policy.bound(p, ball, (4,), steps=1)
    assert binomtest(attacked, n, bound).pvalue > 1e-3
    for wrong in (p, policy.bound(p, ball.scaled(0.5), (4,), 1)):
        assert binomtest(attacked, n, wrong).pvalue < 1e-9


def test_noise_is_fresh_at_each_step_and_in_each_row() -> None:
    policy = SmoothedPolicy(torch.nn.Identity(), 0.1, seed=0)
    obs = np.zeros((500, 2), np.float32)
    first, second = policy.predict(obs)[0], policy.predict(obs)[0]
    assert first.dtype == np.float32
    assert len(np.unique(first)) == 1000
    assert not np.intersect1d(first, second).size
    np.testing.assert_allclose(first.std(0), 0.1, rtol=0.1)
    again = SmoothedPolicy(torch.nn.Identity(), 0.1, seed=0)
    assert np.array_equal(again.predict(obs)[0], first)


def test_noise_by_dimension() -> None:
    policy = SmoothedPolicy(torch.nn.Identity(), [0.0, 0.4])
    found = policy.predict(np.ones((2000, 2), np.float32))[0]
    assert (found[:, 0] == 1).all()
    assert found[:, 1].std() == pytest.approx(0.4, rel=0.1)
    assert policy.shift(LpBall.of("linf", [0.0, 0.2]), (2,)) == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("noise", [-0.1, 0.0, [0.0, 0.0]])
def test_noise_must_be_there(noise: object) -> None:
    with pytest.raises(ValueError, match="noise_std"):
        SmoothedPolicy(torch.nn.Identity(), noise)
