"""Sums over time against their definitions, and the cost threshold's limits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from safer_gym.returns import (
    cost_threshold,
    discounted_sums,
    endless_cost_threshold,
    generalised_advantages,
)

LIMITS = st.floats(0, 100)
HORIZONS = st.integers(1, 1000)
GAMMAS = st.floats(0, 1)


@given(LIMITS, HORIZONS, GAMMAS)
def test_threshold_is_the_discounted_cost_of_even_spending(
    limit: float, horizon: int, gamma: float
) -> None:
    spent = sum(gamma**t for t in range(horizon)) * limit / horizon
    assert cost_threshold(limit, horizon, gamma) == pytest.approx(spent, rel=1e-6, abs=1e-9)
    assert cost_threshold(limit, horizon, gamma) <= limit * (1 + 1e-9)


@pytest.mark.parametrize(
    ("horizon", "gamma", "expected"),
    [(100, 0.99, 3.170), (200, 0.99, 2.165), (300, 0.99, 1.585), (200, 0.995, 3.165)],
)
def test_threshold_of_the_tasks(horizon: int, gamma: float, expected: float) -> None:
    assert cost_threshold(5.0, horizon, gamma) == pytest.approx(expected, abs=1e-3)


def test_threshold_without_discount_is_the_limit() -> None:
    assert cost_threshold(5.0, 200, 1.0) == 5.0
    assert cost_threshold(5.0, 200, 1 - 1e-9) == pytest.approx(5.0, rel=1e-5)


@given(LIMITS, HORIZONS, st.floats(0, 0.999))
def test_the_endless_threshold_is_the_value_of_even_spending_without_end(
    limit: float, horizon: int, gamma: float
) -> None:
    """The fixed point of v = c + gamma v at c = limit / H, which the episode's threshold nears."""
    endless = endless_cost_threshold(limit, horizon, gamma)
    assert endless == pytest.approx(limit / horizon + gamma * endless, rel=1e-6, abs=1e-9)
    episode = cost_threshold(limit, horizon, gamma)
    assert episode == pytest.approx(endless * (1 - gamma**horizon), rel=1e-6, abs=1e-9)


def test_a_short_horizon_makes_the_two_thresholds_differ_fourfold() -> None:
    assert endless_cost_threshold(5.0, 10, 0.97) / cost_threshold(5.0, 10, 0.97) > 3.8
    assert endless_cost_threshold(5.0, 200, 0.98) / cost_threshold(5.0, 200, 0.98) < 1.02


def test_an_endless_sum_needs_a_discount() -> None:
    with pytest.raises(ValueError, match="gamma must be below 1"):
        endless_cost_threshold(5.0, 10, 1.0)


@pytest.mark.parametrize("threshold", [cost_threshold, endless_cost_threshold])
@pytest.mark.parametrize(
    ("arguments", "name"),
    [((-1, 10, 0.9), "limit"), ((1, 0, 0.9), "horizon"), ((1, 1, 2), "gamma")],
)
def test_bad_thresholds_are_refused(threshold: Any, arguments: tuple, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        threshold(*arguments)


def rollout(seed: int, length: int = 9) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rewards = torch.randn(length, 2, dtype=torch.float64, generator=generator)
    values = torch.randn(length + 1, 2, dtype=torch.float64, generator=generator)
    done = torch.rand(length, 2, generator=generator) < 0.2
    return rewards, values, done


@given(st.integers(0, 1000), GAMMAS)
def test_limits_of_gae(seed: int, gamma: float) -> None:
    """lambda = 0 is the TD error, lambda = 1 the return minus the value."""
    rewards, values, done = rollout(seed)
    now, after = values[:-1], values[1:]
    error = rewards + gamma * ~done * after - now
    zero = generalised_advantages(rewards, now, after, done, done, gamma, 0.0)
    torch.testing.assert_close(zero, error)
    whole = generalised_advantages(rewards, now, after, done, done, gamma, 1.0)
    returns = discounted_sums(rewards, done, gamma, values[-1])
    torch.testing.assert_close(whole, returns - now)


def test_truncation_keeps_its_bootstrap() -> None:
    rewards, values, _ = rollout(0)
    truncated = torch.zeros(9, 2, dtype=torch.bool)
    truncated[4] = True
    never = torch.zeros_like(truncated)
    cut = generalised_advantages(rewards, values[:-1], values[1:], never, truncated, 0.9, 0.95)
    torch.testing.assert_close(cut[4], rewards[4] + 0.9 * values[5] - values[4])
