"""How far an adversary can move one action's distribution: the size of a step of the attack.

The benign policy draws from N(mu, Sigma) at the true observation; the attacked one from
N(mu~, Sigma~), which lies in an enclosure. Suprema are over the whole enclosure, so they hold for
every observation in the ball. Divergences are of the attacked from the benign distribution.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from safer_gym.bounds.errors import NotCoveredError
from safer_gym.bounds.interval import Enclosure
from safer_gym.bounds.policy import GaussianEnclosure
from safer_gym.types import Gaussian

_VERTEX_DIMS = 6
"""Up to this many actions all corners of a box are tried."""


def mean_shift(enclosure: Enclosure, mean: Tensor, scale: Tensor) -> Tensor:
    """sup over mu~ in the enclosure of ||scale^-1 (mu~ - mean)||_2, as [B].

    For policies whose covariance does not depend on the observation: KL = m^2 / 2,
    TV = 2 Phi(m / 2) - 1, and the Gaussian filter takes M^2 = sum of m^2.

    Args:
        enclosure: of the mean [B, A].
        mean: the benign mean [B, A].
        scale: standard deviations [B, A] or [A], or lower Cholesky factors [B, A, A].

    Raises:
        ValueError: shapes that do not fit, deviations that are not positive.
    """
    low, high = enclosure.lower - mean.double(), enclosure.upper - mean.double()
    scale = scale.detach().double()
    diagonal = scale.diagonal(dim1=-2, dim2=-1) if _is_factor(scale, mean) else scale
    if not bool((diagonal > 0).all()):
        raise ValueError("scale must have positive deviations (or a positive diagonal)")
    if not _is_factor(scale, mean):
        return (torch.maximum(low.abs(), high.abs()) / scale).norm(dim=-1)
    return _whitened_reach(low, high, scale)


def renyi_shift(enclosure: GaussianEnclosure, benign: Gaussian, alphas: Sequence[float]) -> Tensor:
    """sup over the enclosure of D_alpha(attacked || benign), [B, len(alphas)], in nats.

    Diagonal covariances: each dimension's divergence grows with |mu~ - mu| and is convex in the
    attacked variance, so its supremum is at one of the two ends; dimensions add up. Infinite where
    alpha sigma^2 <= (alpha - 1) sigma~^2: that order is of no use at this state.

    Raises:
        NotCoveredError: Cholesky factors.
        ValueError: an order <= 1.
    """
    mean, scale = benign.mean.double(), benign.scale.double()
    if _is_factor(scale, mean):
        raise NotCoveredError("a full covariance", "not yet")
    reach = torch.maximum((enclosure.mean.lower - mean).abs(), (enclosure.mean.upper - mean).abs())
    # The benign deviation lies between the ends; the ends are moved out to make sure.
    low = torch.minimum(enclosure.scale.lower, scale)
    high = torch.maximum(enclosure.scale.upper, scale)
    columns = []
    for alpha in alphas:
        if not alpha > 1:
            raise ValueError(f"alphas must be > 1; got {alpha!r}")
        ends = [_renyi(reach / scale, (end / scale).square(), alpha) for end in (low, high)]
        columns.append(torch.maximum(*ends).sum(-1))
    return torch.stack(columns, dim=-1)


def _renyi(shift: Tensor, variance: Tensor, alpha: float) -> Tensor:
    """D_alpha(N(shift, variance) || N(0, 1)) in one dimension (Gil et al. 2013, table 2)."""
    mixed = alpha - (alpha - 1) * variance
    safe = torch.where(mixed > 0, mixed, 1.0)
    value = alpha * shift.square() / (2 * safe) - variance.log() / 2
    value = value - safe.log() / (2 * (alpha - 1))
    return torch.where(mixed > 0, value.clamp(min=0), torch.inf)


def _is_factor(scale: Tensor, mean: Tensor) -> bool:
    n = mean.shape[-1]
    if scale.dim() == mean.dim() + 1 and scale.shape[-2:] == (n, n):
        return True
    if scale.shape[-1:] != (n,):
        raise ValueError(
            f"scale must end in [A] or [A, A] with A = {n}; got shape {tuple(scale.shape)}"
        )
    return False


def _whitened_reach(low: Tensor, high: Tensor, factor: Tensor) -> Tensor:
    """sup of ||factor^-1 d|| over low <= d <= high: a convex function is largest at a corner."""
    n = low.shape[-1]
    identity = torch.eye(n, dtype=factor.dtype, device=factor.device).expand_as(factor)
    inverse = torch.linalg.solve_triangular(factor, identity, upper=False)
    if n > _VERTEX_DIMS:
        reach = torch.maximum(low.abs(), high.abs())
        return torch.linalg.norm((inverse.abs() @ reach.unsqueeze(-1)).squeeze(-1), dim=-1)
    choices = torch.cartesian_prod(*[torch.tensor([False, True])] * n).view(-1, n)
    corners = torch.where(choices.to(low.device), high.unsqueeze(-2), low.unsqueeze(-2))
    return (corners @ inverse.mT).norm(dim=-1).amax(-1)
