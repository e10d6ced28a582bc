"""The M-step's losses as pure functions (SAFER, Eq. 7 and 62 to 66).

Shapes: N sampled actions, B states, A action dimensions; actions [N, B, A], weights [N, B].
The weighted log-likelihood of a Gaussian needs only the two weighted moments of the samples,
so that its cost does not grow with N and the sum over N is taken once per E-step.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.divergences import decoupled_kl, gaussian_kl
from safer_gym.multipliers import gradient_multiplier_step
from safer_gym.types import Gaussian


class Moments(NamedTuple):
    """What a Gaussian log-likelihood needs of the weighted actions of each state."""

    mean: Tensor
    """[B, A]"""
    covariance: Tensor
    """Weighted central second moments: [B, A] (diagonal) or [B, A, A]."""


class Posterior(NamedTuple):
    """What the E-step hands to the M-step."""

    moments: Moments
    old: Gaussian
    """The old policy pi_i at the batch's states."""
    mle_scale: float
    """1, or 1/N where the public code's extra mean over the particles is asked for."""
    binds: bool = True
    """Whether the cost limit needed a multiplier above 0 on this batch."""


class KLPair(NamedTuple):
    """A KL split into the part of the mean and the part of the covariance, each a batch mean.

    In joint mode `mean` holds the whole KL and `covariance` is zero.
    """

    mean: Tensor
    covariance: Tensor


def weighted_moments(actions: Tensor, weights: Tensor, full: bool) -> Moments:
    """Moments of q over the samples; `full` keeps the off-diagonal second moments."""
    mean = torch.einsum("nb,nba->ba", weights, actions)
    gap = actions - mean
    spec = "nb,nba,nbc->bac" if full else "nb,nba,nba->ba"
    return Moments(mean, torch.einsum(spec, weights, gap, gap))


def expected_log_prob(moments: Moments, policy: Gaussian) -> Tensor:
    """sum_n w_n log N(a_n; policy), exactly, from the moments alone; [B]."""
    gap = moments.mean - policy.mean
    constant = gap.shape[-1] * math.log(2.0 * math.pi)
    if policy.scale.dim() == gap.dim():
        spread = (gap.square() + _diagonal(moments.covariance, gap)) / policy.scale.square()
        return -0.5 * (constant + (spread + 2.0 * policy.scale.log()).sum(-1))
    white = torch.linalg.solve_triangular(policy.scale, gap.unsqueeze(-1), upper=False)
    inverse = torch.cholesky_inverse(policy.scale)
    spread = white.square().sum((-2, -1)) + (inverse * moments.covariance).sum((-2, -1))
    log_det = 2.0 * policy.scale.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return -0.5 * (constant + spread + log_det)


def likelihood(moments: Moments, new: Gaussian, old: Gaussian, decoupled: bool) -> Tensor:
    """The maximum-likelihood term of Eq. 7 (or of Eq. 8, with `new` at the attacked states); [B].

    Decoupled (MPO, section 4.2.1): the mean is fitted under the old covariance and the covariance
    under the old mean, so that a shift of the mean cannot shrink the exploration.
    """
    if not decoupled:
        return expected_log_prob(moments, new)
    by_mean = expected_log_prob(moments, Gaussian(new.mean, old.scale))
    by_covariance = expected_log_prob(moments, Gaussian(old.mean, new.scale))
    return by_mean + by_covariance


def trust_region_kl(old: Gaussian, new: Gaussian, decoupled: bool) -> KLPair:
    """KL(old || new) of Eq. 7 and 8, averaged over states."""
    if decoupled:
        mean, covariance = decoupled_kl(old, new)
        return KLPair(mean.mean(), covariance.mean())
    joint = gaussian_kl(old, new).mean()
    return KLPair(joint, torch.zeros_like(joint))


def multiplier_steps(
    betas: tuple[float, float],
    kl: KLPair,
    kl_bounds: tuple[float, float],
    step_sizes: tuple[float, float],
    caps: tuple[float, float],
) -> tuple[float, float]:
    """Eq. 64 (and 65) for the mean and the covariance part."""
    parts = zip(betas, torch.stack(kl).tolist(), kl_bounds, step_sizes, caps, strict=True)
    first, second = (
        float(gradient_multiplier_step(beta, bound - value, step_size, cap))
        for beta, value, bound, step_size, cap in parts
    )
    return first, second


def penalty(kl: KLPair, betas: tuple[float, float], bounds: tuple[float, float]) -> Tensor:
    """beta (KL - bound), the constraint part of Eq. 62 as it enters a loss."""
    return betas[0] * (kl.mean - bounds[0]) + betas[1] * (kl.covariance - bounds[1])


def _diagonal(covariance: Tensor, like: Tensor) -> Tensor:
    is_matrix = covariance.dim() > like.dim()
    return covariance.diagonal(dim1=-2, dim2=-1) if is_matrix else covariance
