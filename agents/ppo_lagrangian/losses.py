"""The losses of PPO-Lagrangian and of its robust forms, as pure functions (SAFER, appendix B.2.2).

Shapes: B states; advantages, ratios and log-ratios [B]. Everything here is to be maximised, except
where it is called a distance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from safer_gym.choices import choose
from safer_gym.divergences import gaussian_kl
from safer_gym.types import Gaussian

COST_SURROGATES = ("clipped", "linear")
SCALINGS = ("raw", "centred", "standardised")
DISTANCES = ("kl", "mean")


def scaled(advantages: Tensor, how: str) -> Tensor:
    """Advantages of a whole rollout: as they are, less their mean, or with deviation one too."""
    choose("scaling", how, SCALINGS)
    if how == "raw":
        return advantages
    centred = advantages - advantages.mean()
    if how == "centred" or advantages.numel() < 2:
        return centred
    return centred / (advantages.std() + 1e-8)


def combined_advantage(reward: Tensor, cost: Tensor, lam: float) -> Tensor:
    """(A_r - lambda A_c) / (1 + lambda), the weighting of Eq. 70."""
    return (reward - lam * cost) / (1.0 + lam)


def clipped_surrogate(ratio: Tensor, advantage: Tensor, clip_range: float) -> Tensor:
    """Eq. 69."""
    clipped = ratio.clamp(1.0 - clip_range, 1.0 + clip_range)
    return torch.minimum(ratio * advantage, clipped * advantage)


def lagrangian_surrogate(
    ratio: Tensor, reward: Tensor, cost: Tensor, lam: float, clip_range: float, how: str
) -> Tensor:
    """Eq. 70.

    Args:
        reward, cost: the advantages of both signals.
        how: "clipped" puts the combined advantage through Eq. 69; "linear" clips the reward's part
            alone and weighs the cost by the bare ratio (the public code).
    """
    if choose("cost_surrogate", how, COST_SURROGATES) == "clipped":
        return clipped_surrogate(ratio, combined_advantage(reward, cost, lam), clip_range)
    return (clipped_surrogate(ratio, reward, clip_range) - lam * ratio * cost) / (1.0 + lam)


def approximate_kl(log_ratio: Tensor) -> Tensor:
    """KL(old || new) from samples of the old policy, never negative (Schulman's third estimate)."""
    return (log_ratio.exp() - 1.0 - log_ratio).mean()


def robustness_distance(benign: Gaussian, attacked: Gaussian, how: str) -> Tensor:
    """The regulariser of Algorithm 4, [B]; no gradient reaches `benign`.

    Args:
        how: "kl", KL(pi(s) || pi(s~)), or "mean", the squared distance of the mean actions (the
            public code).
    """
    still = Gaussian(*(part.detach() for part in benign))
    if choose("distance", how, DISTANCES) == "kl":
        return gaussian_kl(still, attacked)
    return (attacked.mean - still.mean).square().sum(-1)
