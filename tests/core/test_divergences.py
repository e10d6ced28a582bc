"""Gaussian divergences against quadrature and against torch's own distributions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from torch.distributions import MultivariateNormal, kl_divergence

from safer_gym.divergences import (
    decoupled_kl,
    gaussian_kl,
    gaussian_log_prob,
    gaussian_tv,
    sample_gaussian,
    tv_upper_bound,
)
from safer_gym.types import Gaussian

KINDS = ("diagonal", "cholesky")


def draw(seed: int, kind: str, n: int = 3) -> Gaussian:
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(4, n, dtype=torch.float64, generator=generator)
    if kind == "diagonal":
        scale = torch.rand(4, n, dtype=torch.float64, generator=generator)
        return Gaussian(mean, scale + 0.2)
    a = torch.randn(4, n, n, dtype=torch.float64, generator=generator)
    return Gaussian(mean, torch.linalg.cholesky(a @ a.mT + torch.eye(n)))


def dense(g: Gaussian) -> MultivariateNormal:
    factor = torch.diag_embed(g.scale) if g.scale.dim() == g.mean.dim() else g.scale
    return MultivariateNormal(g.mean, scale_tril=factor)


@given(st.integers(0, 1000), st.sampled_from(KINDS), st.sampled_from(KINDS))
def test_kl_of_every_pair_of_kinds(seed: int, kind_p: str, kind_q: str) -> None:
    p, q = draw(seed, kind_p), draw(seed + 1, kind_q)
    torch.testing.assert_close(gaussian_kl(p, q), kl_divergence(dense(p), dense(q)))
    mean_part, covariance_part = decoupled_kl(p, q)
    torch.testing.assert_close(mean_part, gaussian_kl(p, Gaussian(q.mean, p.scale)))
    torch.testing.assert_close(covariance_part, gaussian_kl(p, Gaussian(p.mean, q.scale)))
    actions = sample_gaussian(p, 5, torch.Generator().manual_seed(seed))
    torch.testing.assert_close(gaussian_log_prob(p, actions), dense(p).log_prob(actions))


def quadrature(mean_p: float, sd_p: float, mean_q: float, sd_q: float) -> tuple[float, float]:
    """KL(p || q) and TV(p, q) of one-dimensional Gaussians."""
    p, q = stats.norm(mean_p, sd_p), stats.norm(mean_q, sd_q)
    low, high = min(mean_p, mean_q) - 12, max(mean_p, mean_q) + 12
    grid = np.linspace(low, high, 40_001)
    kl = integrate.simpson(p.pdf(grid) * (p.logpdf(grid) - q.logpdf(grid)), x=grid)
    tv = 0.5 * integrate.simpson(np.abs(p.pdf(grid) - q.pdf(grid)), x=grid)
    return float(kl), float(tv)


def one(mean: float, sd: float) -> Gaussian:
    return Gaussian(torch.tensor([[mean]]).double(), torch.tensor([[sd]]).double())


@pytest.mark.parametrize("case", [(0, 1, 0.3, 1), (0, 1, 2, 1), (0, 1, 0.5, 0.6), (1, 0.5, 0, 1.5)])
def test_against_quadrature(case: tuple[float, float, float, float]) -> None:
    p, q = one(*case[:2]), one(*case[2:])
    kl, tv = quadrature(*case)
    assert float(gaussian_kl(p, q)) == pytest.approx(kl, abs=1e-6)
    if case[1] == case[3]:
        assert float(gaussian_tv(p, q)) == pytest.approx(tv, abs=1e-5)
    else:
        assert tv <= float(gaussian_tv(p, q)) <= 1
    assert tv <= float(tv_upper_bound(torch.tensor(kl)))
    assert 0.5 * float(tv_upper_bound(torch.tensor(kl))) < tv  # the specimen: half is no bound


@given(st.integers(0, 1000), st.sampled_from(KINDS))
@settings(max_examples=10)
def test_exact_tv_of_equal_covariances_is_rotation_invariant(seed: int, kind: str) -> None:
    p = draw(seed, kind)
    q = Gaussian(p.mean + 0.5, p.scale)
    along = (2 * gaussian_kl(p, q)).sqrt()
    expected = torch.tensor([quadrature(0, 1, float(m), 1)[1] for m in along[:1]])
    torch.testing.assert_close(gaussian_tv(p, q)[:1], expected.double(), atol=1e-5, rtol=0)
    assert bool((gaussian_tv(p, p) == 0).all())


@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_no_gradient_is_lost(seed: int) -> None:
    p, q = draw(seed, "cholesky"), draw(seed + 1, "diagonal")
    leaves = [t.clone().requires_grad_() for t in (*p, *q)]
    gaussian_kl(Gaussian(*leaves[:2]), Gaussian(*leaves[2:])).sum().backward()
    assert all(bool(leaf.grad.abs().sum() > 0) for leaf in leaves)
    mean_part, _ = decoupled_kl(p, Gaussian(leaves[2], leaves[3]))
    (gradient,) = torch.autograd.grad(mean_part.sum(), leaves[3], allow_unused=True)
    assert gradient is None  # the mean part does not move the new covariance


def test_samples_have_the_right_moments() -> None:
    g = draw(0, "cholesky")
    x = sample_gaussian(g, 40_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(x.mean(0), g.mean, atol=0.1, rtol=0)
    covariance = torch.stack([torch.cov(x[:, i].T) for i in range(4)])
    torch.testing.assert_close(covariance, g.scale @ g.scale.mT, atol=0.3, rtol=0.05)


def test_a_scale_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[A\] or \[A, A\] with A = 3; got shape \(4, 2\)"):
        gaussian_kl(Gaussian(torch.zeros(4, 3), torch.ones(4, 2)), draw(0, "diagonal"))
