"""Divergences between Gaussian action distributions, diagonal or with a Cholesky factor.

Shapes: mean [..., A]; scale [..., A] (standard deviations) or [..., A, A] (lower Cholesky factor).
Every function accepts either kind for either argument and broadcasts over leading axes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Gaussian(NamedTuple):
    """A batch of Gaussian action distributions."""

    mean: Tensor
    """[..., A]"""
    scale: Tensor
    """Standard deviations [..., A], or a lower Cholesky factor [..., A, A]."""

    @property
    def parameters(self) -> dict[str, Tensor]:
        """What tells two of them apart, by name."""
        return {"mean": self.mean, "deviation": self.scale}

    def detach(self) -> Gaussian:
        """The same without gradients."""
        return Gaussian(self.mean.detach(), self.scale.detach())

    def difference(self, other: Gaussian) -> Tensor:
        """KL(self || other) [...] in nats."""
        return gaussian_kl(self, other)

    def fault(self) -> str:
        """What is wrong with the numbers; "" where nothing is."""
        if not bool(torch.isfinite(self.mean).all()):
            return "the mean holds NaN or infinity"
        diagonal = _factor_diagonal(self)
        return "" if bool((diagonal > 0).all()) else "standard deviations must be > 0"


def gaussian_kl(p: Gaussian, q: Gaussian) -> Tensor:
    """KL(p || q) [...] in nats, jointly over mean and covariance."""
    return _mean_term(p.mean - q.mean, q) + _covariance_term(p, q)


def decoupled_kl(p: Gaussian, q: Gaussian) -> tuple[Tensor, Tensor]:
    """The mean and the covariance part of KL(p || q), each [...], as MPO decouples them.

    Mean part: 0.5 dmu^T Sigma_p^-1 dmu, that is KL(p || N(mu_q, Sigma_p)).
    Covariance part: 0.5 [log det Sigma_q / det Sigma_p - A + tr(Sigma_q^-1 Sigma_p)],
    that is KL(p || N(mu_p, Sigma_q)).
    """
    return _mean_term(p.mean - q.mean, p), _covariance_term(p, q)


def gaussian_log_prob(g: Gaussian, actions: Tensor) -> Tensor:
    """Log density [...] of `actions` [..., A], in nats."""
    n = g.mean.shape[-1]
    return -_mean_term(actions - g.mean, g) - _log_det(g) - 0.5 * n * math.log(2 * math.pi)


def gaussian_entropy(g: Gaussian) -> Tensor:
    """Differential entropy [...] in nats."""
    n = g.mean.shape[-1]
    return _log_det(g).expand(g.mean.shape[:-1]) + 0.5 * n * (1 + math.log(2 * math.pi))


def gaussian_tv(p: Gaussian, q: Gaussian) -> Tensor:
    """Total variation distance [...] in [0, 1], or an upper bound of it.

    Exact, 2 Phi(m / 2) - 1 with m the Mahalanobis distance, for rows with equal covariances;
    the tighter of the two KL directions through `tv_upper_bound` for the others.
    """
    mahalanobis = (2 * _mean_term(p.mean - q.mean, p)).sqrt()
    exact = torch.erf(mahalanobis / (2 * math.sqrt(2)))
    kl = torch.minimum(gaussian_kl(p, q), gaussian_kl(q, p))
    return torch.where(_same_covariance(p, q), exact, tv_upper_bound(kl))


def tv_upper_bound(kl: Tensor) -> Tensor:
    """The smaller of Pinsker's sqrt(KL / 2) and Bretagnolle-Huber's sqrt(1 - exp(-KL))."""
    kl = kl.clamp(min=0)
    return torch.minimum((0.5 * kl).sqrt(), (-torch.expm1(-kl)).sqrt())


def sample_gaussian(g: Gaussian, n: int, generator: torch.Generator | None = None) -> Tensor:
    """`n` draws [n, ..., A], differentiable in mean and scale."""
    mean = g.mean
    device = mean.device if generator is None else generator.device
    noise = torch.randn(n, *mean.shape, dtype=mean.dtype, device=device, generator=generator)
    noise = noise.to(mean.device)
    if _is_diagonal(g):
        return mean + g.scale * noise
    return mean + (g.scale @ noise.unsqueeze(-1)).squeeze(-1)


def _is_diagonal(g: Gaussian) -> bool:
    n = g.mean.shape[-1]
    if g.scale.dim() == g.mean.dim() + 1 and g.scale.shape[-2:] == (n, n):
        return False
    if g.scale.shape[-1] != n:
        raise ValueError(
            f"scale must end in [A] or [A, A] with A = {n}; got shape {tuple(g.scale.shape)}"
        )
    return True


def _factor(g: Gaussian) -> Tensor:
    return torch.diag_embed(g.scale) if _is_diagonal(g) else g.scale


def _log_det(g: Gaussian) -> Tensor:
    """log det of the Cholesky factor: half the log determinant of the covariance."""
    return _factor_diagonal(g).log().sum(-1)


def _factor_diagonal(g: Gaussian) -> Tensor:
    return g.scale if _is_diagonal(g) else g.scale.diagonal(dim1=-2, dim2=-1)


def _mean_term(difference: Tensor, g: Gaussian) -> Tensor:
    """0.5 d^T Sigma^-1 d."""
    if _is_diagonal(g):
        return 0.5 * (difference / g.scale).square().sum(-1)
    batch = torch.broadcast_shapes(difference.shape[:-1], g.scale.shape[:-2])
    factor = g.scale.expand(*batch, *g.scale.shape[-2:])
    column = difference.expand(*batch, difference.shape[-1]).unsqueeze(-1)
    whitened = torch.linalg.solve_triangular(factor, column, upper=False)
    return 0.5 * whitened.squeeze(-1).square().sum(-1)


def _covariance_term(p: Gaussian, q: Gaussian) -> Tensor:
    """KL(N(0, Sigma_p) || N(0, Sigma_q))."""
    if _is_diagonal(p) and _is_diagonal(q):
        ratio = p.scale / q.scale
        return (0.5 * (ratio.square() - 1) - ratio.log()).sum(-1)
    n = p.mean.shape[-1]
    whitened = torch.linalg.solve_triangular(_factor(q), _factor(p), upper=False)
    trace = whitened.square().sum((-2, -1))
    return _log_det(q) - _log_det(p) + 0.5 * (trace - n)


def _same_covariance(p: Gaussian, q: Gaussian) -> Tensor:
    if _is_diagonal(p) and _is_diagonal(q):
        return (p.scale == q.scale).all(-1)
    return (_factor(p) == _factor(q)).all(-1).all(-1)
