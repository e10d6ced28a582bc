"""Divergences over an enclosure: equal to the truth at the worst corner, never below any point."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from torch import Tensor

from safer_gym.bounds import (
    ORDERS,
    Enclosure,
    GaussianEnclosure,
    gaussian_filter,
    kl_shift,
    mean_shift,
    renyi_filter,
    renyi_shift,
    tv_shift,
)
from safer_gym.bounds.shift import _scalar
from safer_gym.divergences import gaussian_kl
from safer_gym.types import Gaussian

SOME = (1.05, 1.5, 2.0, 4.0, 10.0)


def case(seed: int, full: bool, reach: float, n: int = 3) -> tuple[GaussianEnclosure, Gaussian]:
    """A benign distribution and boxes around it."""
    g = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, dtype=torch.float64, generator=g)

    mean, std = 2 * uniform(4, n) - 1, 0.2 + uniform(4, n)
    scale = torch.diag_embed(std) + (uniform(4, n, n) - 0.5).tril(-1) if full else std
    moves = [reach * uniform(*x.shape) for x in (mean, mean, scale, scale)]
    if full:
        moves[2], moves[3] = moves[2].tril(), moves[3].tril()
    else:
        moves[2] = torch.minimum(moves[2], 0.9 * std)
    boxes = (
        Enclosure(mean - moves[0], mean + moves[1]),
        Enclosure(scale - moves[2], scale + moves[3]),
    )
    return GaussianEnclosure(*boxes), Gaussian(mean, scale)


def points(box: Enclosure, n: int, seed: int) -> Tensor:
    """Points [n, ...] of a box, half of them corners."""
    g = torch.Generator().manual_seed(seed)
    share = torch.rand(n, *box.lower.shape, dtype=torch.float64, generator=g)
    share[: n // 2] = share[: n // 2].round()
    return box.lower + share * (box.upper - box.lower)


def corners(boxes: GaussianEnclosure) -> Gaussian:
    """All corners [64, 4, 3] of both boxes together."""
    choice = torch.cartesian_prod(*[torch.tensor([False, True])] * 6).unsqueeze(1)
    mean, scale = (
        torch.where(pick, box.upper, box.lower)
        for pick, box in zip(choice.split(3, dim=-1), boxes, strict=True)
    )
    return Gaussian(mean, scale)


def renyi(p: Gaussian, q: Gaussian, alpha: float) -> Tensor:
    """D_alpha(p || q) of Gaussians with Cholesky factors or deviations, by determinants."""
    l_p, l_q = (
        torch.diag_embed(g.scale) if g.scale.dim() == g.mean.dim() else g.scale for g in (p, q)
    )
    s_p, s_q = l_p @ l_p.mT, l_q @ l_q.mT
    mixed = alpha * s_q + (1 - alpha) * s_p
    positive = torch.linalg.eigvalsh(mixed)[..., 0] > 0
    safe = torch.where(positive[..., None, None], mixed, torch.eye(mixed.shape[-1]).double())
    d = (p.mean - q.mean).unsqueeze(-1)
    quadratic = (d.mT @ torch.linalg.solve(safe, d)).squeeze(-1).squeeze(-1)
    logs = torch.logdet(safe) - (1 - alpha) * torch.logdet(s_p) - alpha * torch.logdet(s_q)
    value = alpha / 2 * quadratic - logs / (2 * (alpha - 1))
    return torch.where(positive, value, torch.inf)


@pytest.mark.parametrize("alpha", [1.0, 1.3, 2.0, 5.0])
@pytest.mark.parametrize(("shift", "variance"), [(0.0, 1.1), (0.4, 1.0), (0.7, 0.6), (1.5, 1.15)])
def test_one_dimension_against_quadrature(alpha: float, shift: float, variance: float) -> None:
    p, q = stats.norm(shift, math.sqrt(variance)), stats.norm(0, 1)

    def integrand(x: float) -> float:
        if alpha == 1.0:
            return p.pdf(x) * (p.logpdf(x) - q.logpdf(x))
        return math.exp(alpha * p.logpdf(x) + (1 - alpha) * q.logpdf(x))

    found = integrate.quad(integrand, -40, 40, limit=500, points=[0.0, shift, shift * alpha])[0]
    expected = found if alpha == 1.0 else math.log(found) / (alpha - 1)
    ours = _scalar(torch.tensor(shift).double(), torch.tensor(variance).double(), alpha)
    assert float(ours) == pytest.approx(expected, rel=1e-6, abs=1e-7)


@given(st.integers(0, 10_000), st.sampled_from([1e-3, 0.05, 0.3]))
def test_diagonal_suprema_hold_every_point_and_are_attained(seed: int, reach: float) -> None:
    boxes, benign = case(seed, False, reach)
    inside = Gaussian(points(boxes.mean, 200, seed), points(boxes.scale, 200, seed + 1))
    attacked = Gaussian(*map(torch.cat, zip(inside, corners(boxes), strict=True)))
    bounds = renyi_shift(boxes, benign, SOME)
    for i, alpha in enumerate(SOME):
        at = renyi(attacked, benign, alpha)
        assert (at <= bounds[:, i] * (1 + 1e-9) + 1e-12).all()
        best = at.amax(0)
        assert ((best >= 0.9999 * bounds[:, i] - 1e-12) | bounds[:, i].isinf()).all()
    kl = kl_shift(boxes, benign)
    assert (gaussian_kl(attacked, benign) <= kl * (1 + 1e-9)).all()
    assert (gaussian_kl(attacked, benign).amax(0) >= 0.9999 * kl).all()


@given(st.integers(0, 10_000), st.sampled_from([1e-3, 0.02, 0.1]))
def test_cholesky_suprema_hold_every_point(seed: int, reach: float) -> None:
    boxes, benign = case(seed, True, reach)
    attacked = Gaussian(points(boxes.mean, 300, seed), points(boxes.scale, 300, seed + 1))
    bounds = renyi_shift(boxes, benign, SOME)
    for i, alpha in enumerate(SOME):
        assert (renyi(attacked, benign, alpha) <= bounds[:, i] * (1 + 1e-9) + 1e-9).all()
    kl = gaussian_kl(attacked, benign)
    assert (kl <= kl_shift(boxes, benign) * (1 + 1e-9) + 1e-9).all()


def test_cholesky_suprema_are_near_for_small_boxes() -> None:
    boxes, benign = case(0, True, 1e-3)
    attacked = Gaussian(points(boxes.mean, 4000, 0), points(boxes.scale, 4000, 1))
    ratio = renyi_shift(boxes, benign, [2.0])[:, 0] / renyi(attacked, benign, 2.0).amax(0)
    assert (ratio < 4).all()


@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([2, 3, 8]))
def test_mean_shift_holds_every_point(seed: int, full: bool, n: int) -> None:
    boxes, benign = case(seed, full, 0.5, n)
    m = mean_shift(boxes.mean, *benign)
    attacked = points(boxes.mean, 500, seed)
    factor = benign.scale if full else torch.diag_embed(benign.scale)
    moved = torch.linalg.solve(factor, (attacked - benign.mean).unsqueeze(-1)).squeeze(-1)
    lengths = moved.norm(dim=-1)
    assert (lengths <= m * (1 + 1e-9)).all()
    if n <= 3:
        assert (lengths.amax(0) >= 0.99 * m).all()


@given(st.integers(0, 10_000))
def test_a_diagonal_factor_is_the_diagonal_case(seed: int) -> None:
    boxes, benign = case(seed, False, 0.4)
    as_factor = mean_shift(boxes.mean, benign.mean, torch.diag_embed(benign.scale))
    torch.testing.assert_close(as_factor, mean_shift(boxes.mean, *benign))
    point = Enclosure(benign.scale, benign.scale)
    still = GaussianEnclosure(boxes.mean, point)
    m = mean_shift(boxes.mean, *benign)
    expected = m.square().unsqueeze(1) * torch.tensor(ORDERS).double() / 2
    torch.testing.assert_close(renyi_shift(still, benign), expected)
    torch.testing.assert_close(tv_shift(still, benign), torch.erf(m / math.sqrt(8)))


def test_total_variation_holds_against_quadrature() -> None:
    grid = np.linspace(-12, 12, 40_001)
    for seed in range(4):
        boxes, benign = case(seed, False, 0.3, n=1)
        bound = tv_shift(boxes, benign)
        attacked = Gaussian(points(boxes.mean, 30, seed), points(boxes.scale, 30, seed))
        for row in range(4):
            q = stats.norm(float(benign.mean[row, 0]), float(benign.scale[row, 0])).pdf(grid)
            for mean, std in zip(attacked.mean[:, row, 0], attacked.scale[:, row, 0], strict=True):
                p = stats.norm(float(mean), float(std)).pdf(grid)
                assert integrate.simpson(np.abs(p - q), x=grid) / 2 <= bound[row] + 1e-6


def test_orders_that_say_nothing_are_infinite() -> None:
    benign = Gaussian(torch.zeros(1, 1).double(), torch.ones(1, 1).double())
    boxes = GaussianEnclosure(
        Enclosure(*torch.zeros(2, 1, 1).double()), Enclosure(benign.scale, 1.2 * benign.scale)
    )
    found = renyi_shift(boxes, benign, [2.0, 3.27, 3.28, 10.0])[0]  # 1.44 a / (a - 1): a < 3.2727
    assert found.isinf().tolist() == [False, False, True, True]
    full = GaussianEnclosure(boxes.mean, Enclosure(*(end.unsqueeze(-1) for end in boxes.scale)))
    benign_full = Gaussian(benign.mean, benign.scale.unsqueeze(-1))
    assert renyi_shift(full, benign_full, [10.0]).isinf().all()


# --- tests of the tests ---


def _swapped_arguments(shift: Tensor, variance: Tensor, alpha: float) -> Tensor:
    """D_alpha(benign || attacked)."""
    return _scalar(shift / variance.sqrt(), 1 / variance, alpha)


def _no_half(shift: Tensor, variance: Tensor, alpha: float) -> Tensor:
    return alpha * shift.square() / 4 + 0 * variance


def _mean_only(shift: Tensor, variance: Tensor, alpha: float) -> Tensor:
    return alpha * shift.square() / 2 + 0 * variance


@pytest.mark.parametrize("mutant", [_swapped_arguments, _no_half, _mean_only])
def test_wrong_divergences_are_found(mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safer_gym.bounds.shift._scalar", mutant)
    lost = False
    for seed in range(5):
        boxes, benign = case(seed, False, 0.3)
        attacked = Gaussian(points(boxes.mean, 400, seed), points(boxes.scale, 400, seed + 1))
        lost |= bool((renyi(attacked, benign, 1.5) > renyi_shift(boxes, benign, [1.5])[:, 0]).any())
    assert lost


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda b, g: renyi_shift(b, g, [1.0]), "alphas must be a finite number > 1"),
        (lambda b, g: mean_shift(b.mean, g.mean, g.scale[:, :2]), "scale must end in"),
        (lambda b, g: mean_shift(b.mean, g.mean, -g.scale), "positive"),
    ],
)
def test_bad_input_is_named(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call(*case(0, False, 0.1))


# --- an episode of many steps ---


def _episode_rates(h: float, shift: float, steps: int, n: int) -> tuple[float, float]:
    """P(E) benign and attacked by simulation; E is where the likelihood ratio is large."""
    g = torch.Generator().manual_seed(0)
    noise = torch.randn(n, steps, dtype=torch.float64, generator=g)

    def ratio(x: Tensor) -> Tensor:
        return (x.square() - ((x - shift) / (1 + h)).square()).sum(1)

    benign, attacked = ratio(noise), ratio(shift + (1 + h) * noise)
    threshold = benign.quantile(0.98)
    return float((benign > threshold).double().mean()), float(
        (attacked > threshold).double().mean()
    )


@pytest.mark.parametrize(("h", "shift"), [(0.0, 0.1), (0.05, 0.0), (0.03, 0.1)])
def test_divergences_add_up_over_an_episode(h: float, shift: float) -> None:
    """The best test of `steps` draws; the bound must cover it, and not by much."""
    steps, n = 50, 200_000
    p, reached = _episode_rates(h, shift, steps, n)
    mean = torch.zeros(1, 1, dtype=torch.float64)
    scale = torch.ones_like(mean)
    moved = GaussianEnclosure(
        Enclosure(mean - shift, mean + shift), Enclosure((1 - h) * scale, (1 + h) * scale)
    )
    rho = steps * renyi_shift(moved, Gaussian(mean, scale))[0].numpy()
    noise = 5 * math.sqrt(reached / n)
    assert reached - noise <= renyi_filter(p, rho) <= 1.6 * reached
    if h > 0:  # a bound that forgets the covariance is too low
        m = mean_shift(moved.mean, mean, scale)
        assert gaussian_filter(p, float(m) * math.sqrt(steps)) < reached - noise
