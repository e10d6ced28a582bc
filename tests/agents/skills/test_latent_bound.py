"""Algorithm 3 reaches the wanted share, and never exceeds the exact bound."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from safer_gym.agents.skills.latent_bound import (
    balanced,
    exact_bound,
    safe_share,
    sampled_bound,
)

NORMS = st.lists(st.floats(0, 10), min_size=1, max_size=30).map(
    lambda values: torch.tensor(values, dtype=torch.float64)
)
SHARES = st.floats(0.05, 1.0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_trying_all(safe: Tensor, unsafe: Tensor, share: float) -> float:
    points = torch.cat([safe, unsafe]).tolist()
    return max((b for b in points if safe_share(safe, unsafe, b) >= share), default=0.0)


@given(NORMS, NORMS, SHARES)
def test_exact_bound_is_the_largest(safe: Tensor, unsafe: Tensor, share: float) -> None:
    assert exact_bound(safe, unsafe, share) == by_trying_all(safe, unsafe, share)


@pytest.mark.filterwarnings("ignore:no bound has a share")
@given(NORMS, NORMS, SHARES, st.integers(0, 100), st.just(math.inf) | st.floats(0, 12))
def test_sampled_bound_has_the_share_below_its_start_and_the_exact_bound(
    safe: Tensor, unsafe: Tensor, share: float, seed: int, start: float
) -> None:
    found = sampled_bound(safe, unsafe, share, generator(seed), start, rounds=20)
    assert 0 <= found <= min(start, exact_bound(safe, unsafe, share))
    assert found == 0 or safe_share(safe, unsafe, found) >= share


@given(st.integers(0, 1000))
def test_a_finite_start_finds_the_bound_at_which_an_infinite_one_stalls(seed: int) -> None:
    """Latent actions as a trained prior has them: of a standard Gaussian, and far out."""
    points = torch.randn(2, 200, 3, generator=generator(seed)).abs().amax(dim=2)
    safe, unsafe = torch.cat([points[0], torch.tensor([9.0])]), points[1] + 3.5
    assert 0 < sampled_bound(safe, unsafe, 0.85, generator(seed), start=3.0) <= 3.0
    with pytest.warns(UserWarning, match="no bound"):
        assert sampled_bound(safe, unsafe, 0.85, generator(seed), rounds=20) == 0


@pytest.mark.parametrize("start", [-1.0, math.nan])
def test_start_is_checked(start: float) -> None:
    with pytest.raises(ValueError, match="start must be a number >= 0"):
        sampled_bound(torch.ones(1), torch.ones(1), 0.5, generator(), start)


def test_separated_classes() -> None:
    safe, unsafe = torch.linspace(0.1, 1.0, 50), torch.linspace(2.0, 3.0, 50)
    assert exact_bound(safe, unsafe, 1.0) == pytest.approx(1.0)
    assert 0 < sampled_bound(safe, unsafe, 1.0, generator()) <= 1.0
    assert 1.0 <= sampled_bound(safe, unsafe, 0.85, generator()) < 3.0


def test_no_bound_is_zero_with_a_warning() -> None:
    safe, unsafe = torch.tensor([2.0]), torch.tensor([1.0])
    assert exact_bound(safe, unsafe, 0.9) == 0.0
    with pytest.warns(UserWarning, match="no bound has a share of 0.9"):
        assert sampled_bound(safe, unsafe, 0.9, generator()) == 0.0


def test_start_is_the_first_bound() -> None:
    safe, unsafe = torch.tensor([0.5, 0.6, 5.0]), torch.tensor([7.0])
    assert 0 < sampled_bound(safe, unsafe, 0.5, generator(), start=1.0) <= 0.6


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1, math.nan])
def test_share_is_checked(share: float) -> None:
    for find in (exact_bound, lambda *a: sampled_bound(*a, generator())):
        with pytest.raises(ValueError, match="share must lie in"):
            find(torch.ones(1), torch.ones(1), share)


def test_balanced_draws_from_the_points() -> None:
    drawn = balanced(torch.tensor([1.0, 2.0]), 100, generator())
    assert len(drawn) == 100
    assert set(drawn.tolist()) == {1.0, 2.0}
