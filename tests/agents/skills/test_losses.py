"""Laws of the contrastive objective and of the safety variable's KL."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from safer_gym.agents.skills.losses import contrastive_loss, kl_to_standard
from safer_gym.types import Gaussian

ZERO = torch.zeros((), dtype=torch.float64)


def rows(seed: int, n: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 8 * torch.randn(n, generator=generator, dtype=torch.float64)


@given(st.integers(0, 1000), st.floats(0, 10))
def test_equation_5(seed: int, weight: float) -> None:
    safe, unsafe, kl = rows(seed), rows(seed + 1), rows(seed + 2).abs().mean()
    found = contrastive_loss(safe, unsafe, kl, weight, floor=-1e9)
    torch.testing.assert_close(found.total, -(safe.mean() - weight * unsafe.mean() - kl))


@given(st.integers(0, 1000), st.floats(-20, 0))
def test_no_gradient_below_the_floor(seed: int, floor: float) -> None:
    unsafe = rows(seed).requires_grad_()
    contrastive_loss(rows(seed + 1), unsafe, ZERO, 2.0, floor).total.backward()
    assert unsafe.grad is not None
    expected = torch.where(unsafe.detach() > floor, 2.0 / len(unsafe), 0.0)
    torch.testing.assert_close(unsafe.grad, expected.double())


@pytest.mark.parametrize(("mean", "moves"), [(-5.0, True), (-15.0, False)])
def test_freeze_looks_at_the_mean_of_the_batch(mean: float, moves: bool) -> None:
    unsafe = (mean + torch.tensor([-40.0, 40.0])).requires_grad_()
    safe = torch.zeros(2).requires_grad_()
    contrastive_loss(safe, unsafe, ZERO, 1.0, -10.0, "freeze").total.backward()
    assert (unsafe.grad is not None and bool(unsafe.grad.any())) == moves
    assert safe.grad is not None


def test_without_unsafe_data_it_is_the_likelihood() -> None:
    found = contrastive_loss(rows(0), None, ZERO, 1.0)
    torch.testing.assert_close(found.total, -rows(0).mean())


def test_unknown_term_names_the_valid_ones() -> None:
    with pytest.raises(ValueError, match="unsafe_term must be one of 'floor', 'freeze'"):
        contrastive_loss(rows(0), rows(1), ZERO, 1.0, -10.0, "flor")


@given(st.integers(0, 1000))
def test_kl_is_torchs(seed: int) -> None:
    mean, scale = rows(seed).reshape(2, 3), rows(seed + 1).reshape(2, 3).exp().clamp(1e-3, 1e3)
    expected = kl_divergence(
        Independent(Normal(mean, scale), 1),
        Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1),
    )
    torch.testing.assert_close(kl_to_standard(Gaussian(mean, scale)), expected)
