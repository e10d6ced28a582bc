"""How far an adversary can move one action's distribution: the size of a step of the attack.

The benign policy draws from N(mu, Sigma) at the true observation; the attacked one from
N(mu~, Sigma~), which lies in an enclosure. Suprema are over the whole enclosure, so they hold for
every observation in the ball. Divergences are of the attacked from the benign distribution.

`mean_shift` alone is a step's size only where the covariance does not depend on the observation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds.errors import NotCoveredError
from safer_gym.bounds.filters import ORDERS
from safer_gym.bounds.interval import Enclosure
from safer_gym.bounds.policy import GaussianEnclosure, PolicyLayers, enclose_mean, enclose_policy
from safer_gym.divergences import tv_upper_bound
from safer_gym.domains import ABOVE_ONE, require_array
from safer_gym.types import Gaussian

_VERTEX_DIMS = 6
"""Up to this many actions all corners of a box are tried."""


def gaussian_steps(policy: PolicyLayers, obs: Tensor, ball: LpBall, benign: Gaussian) -> Tensor:
    """Sizes m [B] of the attack's step at each observation [B, *O], for `gaussian_filter`.

    Args:
        benign: the policy's distribution at `obs`, as it is drawn from.

    Raises:
        NotCoveredError: the noise depends on the observation (see `renyi_steps`), or there is none.
    """
    if not policy.has_constant_noise:
        raise NotCoveredError(
            f"{policy.describe} by the Gaussian filter",
            "its noise must not depend on the observation; use `renyi_steps`, or deploy it with "
            "`with_constant_noise`",
        )
    return mean_shift(enclose_mean(policy, obs, ball), benign.mean, benign.scale)


def renyi_steps(
    policy: PolicyLayers,
    obs: Tensor,
    ball: LpBall,
    benign: Gaussian,
    alphas: Sequence[float] = ORDERS,
) -> Tensor:
    """Sizes D_alpha [B, len(alphas)] of the attack's step, for `renyi_filter`; nats.

    Raises:
        NotCoveredError: the policy is deterministic.
    """
    return renyi_shift(enclose_policy(policy, obs, ball), benign, alphas)


def mean_shift(enclosure: Enclosure, mean: Tensor, scale: Tensor) -> Tensor:
    """sup over mu~ in the enclosure of ||scale^-1 (mu~ - mean)||_2, as [B].

    Args:
        enclosure: of the mean [B, A].
        mean: the benign mean [B, A].
        scale: standard deviations [B, A] or [A], or lower Cholesky factors [B, A, A].

    Raises:
        ValueError: shapes that do not fit, deviations that are not positive.
    """
    low, high = enclosure.lower - mean.double(), enclosure.upper - mean.double()
    scale = scale.detach().double()
    is_factor = _is_factor(scale, mean)
    diagonal = scale.diagonal(dim1=-2, dim2=-1) if is_factor else scale
    if not bool((diagonal > 0).all()):
        raise ValueError("scale must have positive deviations (or a positive diagonal)")
    if not is_factor:
        return (torch.maximum(low.abs(), high.abs()) / scale).norm(dim=-1)
    return _whitened_reach(low, high, scale)


def renyi_shift(
    enclosure: GaussianEnclosure, benign: Gaussian, alphas: Sequence[float] = ORDERS
) -> Tensor:
    """sup over the enclosure of D_alpha(attacked || benign), [B, len(alphas)], in nats.

    Infinite where alpha Sigma - (alpha - 1) Sigma~ may fail to be positive: that order is of no
    use at this state.

    Raises:
        ValueError: an order <= 1, shapes that do not fit.
    """
    require_array(ABOVE_ONE, alphas=alphas)
    return torch.stack([_divergence(enclosure, benign, alpha) for alpha in alphas], dim=-1)


def kl_shift(enclosure: GaussianEnclosure, benign: Gaussian) -> Tensor:
    """sup over the enclosure of KL(attacked || benign), [B], in nats."""
    return _divergence(enclosure, benign, 1.0)


def tv_shift(enclosure: GaussianEnclosure, benign: Gaussian) -> Tensor:
    """A bound of the total variation between attacked and benign distribution, [B].

    2 Phi(m / 2) - 1 where the covariance cannot move; else by the KL (Pinsker, or
    Bretagnolle-Huber).
    """
    m = mean_shift(enclosure.mean, benign.mean, benign.scale)
    exact = torch.erf(m / (2 * math.sqrt(2)))
    scale = benign.scale.double()
    still = ((enclosure.scale.lower == scale) & (enclosure.scale.upper == scale)).flatten(1).all(1)
    return torch.where(still, exact, tv_upper_bound(kl_shift(enclosure, benign)))


def _divergence(enclosure: GaussianEnclosure, benign: Gaussian, alpha: float) -> Tensor:
    mean, scale = benign.mean.detach().double(), benign.scale.detach().double()
    if _is_factor(scale, mean):
        return _factor_divergence(enclosure, Gaussian(mean, scale), alpha)
    low, high = enclosure.mean.lower - mean, enclosure.mean.upper - mean
    reach = torch.maximum(low.abs(), high.abs()) / scale
    # In each dimension the divergence grows with |mu~ - mu| and is convex in the attacked variance,
    # so its supremum is at one of the two ends. Dimensions add up.
    ends = [_scalar(reach, (end / scale).square(), alpha) for end in enclosure.scale]
    return torch.maximum(*ends).sum(-1)


def _scalar(shift: Tensor, variance: Tensor, alpha: float) -> Tensor:
    """D_alpha(N(shift, variance) || N(0, 1)) (Gil et al. 2013, table 2); KL for alpha = 1."""
    if alpha == 1.0:
        return ((shift.square() + variance - 1 - variance.log()) / 2).clamp(min=0)
    mixed = alpha - (alpha - 1) * variance
    safe = torch.where(mixed > 0, mixed, 1.0)
    value = alpha * shift.square() / (2 * safe) - variance.log() / 2
    value = value - safe.log() / (2 * (alpha - 1))
    return torch.where(mixed > 0, value.clamp(min=0), torch.inf)


def _factor_divergence(enclosure: GaussianEnclosure, benign: Gaussian, alpha: float) -> Tensor:
    """The same for Cholesky factors L~ in a box around L.

    Whitened by L, the attacked factor is I + E with ||E||_F <= r. Its singular values s satisfy
    sum (s - 1)^2 <= r^2 (Hoffman-Wielandt), and the covariance's part of the divergence is a sum
    of terms that vanish with their slope at s = 1: half the largest curvature times r^2 bounds it.
    """
    m = _whitened_reach(
        enclosure.mean.lower - benign.mean, enclosure.mean.upper - benign.mean, benign.scale
    )
    low, high = enclosure.scale.lower - benign.scale, enclosure.scale.upper - benign.scale
    moved = _inverse(benign.scale).abs() @ torch.maximum(low.abs(), high.abs())
    r = moved.flatten(-2).norm(dim=-1)
    mixed = alpha - (alpha - 1) * (1 + r).square()
    valid = (mixed > 0) & (r < 1)
    safe, small = torch.where(valid, mixed, 1.0), torch.where(valid, r, 0.0)
    curvature = 1 / (1 - small).square() + 1 / safe
    curvature = curvature + 2 * (alpha - 1) * (1 + small).square() / safe.square()
    value = alpha * m.square() / (2 * safe) + curvature * small.square() / 2
    return torch.where(valid, value, torch.inf)


def _is_factor(scale: Tensor, mean: Tensor) -> bool:
    n = mean.shape[-1]
    if scale.dim() == mean.dim() + 1 and scale.shape[-2:] == (n, n):
        return True
    if scale.shape[-1:] != (n,):
        raise ValueError(
            f"scale must end in [A] or [A, A] with A = {n}; got shape {tuple(scale.shape)}"
        )
    return False


def _inverse(factor: Tensor) -> Tensor:
    identity = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    return torch.linalg.solve_triangular(factor, identity.expand_as(factor), upper=False)


def _whitened_reach(low: Tensor, high: Tensor, factor: Tensor) -> Tensor:
    """sup of ||factor^-1 d|| over low <= d <= high: a convex function is largest at a corner."""
    n, inverse = low.shape[-1], _inverse(factor)
    if n > _VERTEX_DIMS:
        reach = torch.maximum(low.abs(), high.abs())
        return (inverse.abs() @ reach.unsqueeze(-1)).squeeze(-1).norm(dim=-1)
    choices = torch.cartesian_prod(*[torch.tensor([False, True])] * n).view(-1, n)
    corners = torch.where(choices.to(low.device), high.unsqueeze(-2), low.unsqueeze(-2))
    return (corners @ inverse.mT).norm(dim=-1).amax(-1)
