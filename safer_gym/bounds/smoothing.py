"""Randomised observation smoothing: Kumar et al. 2022, "Policy smoothing for provably robust RL".

A policy that adds fresh Gaussian noise to every observation it is shown. An adversary that moves
observations by delta_t moves the mean of that noise, whatever the policy does with it: the episode
is post-processing of Gaussians moved by ||delta_t / std||_2. So the Gaussian filter applies to
deterministic policies too, with the total l2 budget over the episode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from safer_gym.balls import LpBall
from safer_gym.bounds.filters import gaussian_filter
from safer_gym.domains import AT_LEAST_ONE, NOT_NEGATIVE, require, require_array

_MARGIN = 1e-6
"""Relative growth of the radius: what `LpBall.contains` tolerates."""


def smoothing_shift(ball: LpBall, noise_std: Any, shape: Sequence[int]) -> float:
    """sup over the ball of ||delta / noise_std||_2: the size of one step of the attack.

    Args:
        ball: of the adversary; its box is not used.
        noise_std: deviation of the noise, a number or one for each dimension; 0 is allowed where
            the adversary cannot move (eps 0).
        shape: of one observation.

    Raises:
        ValueError: negative noise, shapes that do not fit.
    """
    eps = ball.eps.expand(tuple(shape)).flatten()
    require_array(NOT_NEGATIVE, noise_std=noise_std)
    std = torch.as_tensor(noise_std, dtype=torch.float64).expand(tuple(shape)).flatten()
    return float(noise_shift(ball.p, eps, std))


def noise_shift(p: float, eps: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """sup over ||delta / eps||_p <= 1 of ||scale^-1 delta||_2, for each batch entry.

    Exact for deviations, and for Cholesky factors in l1 and l2; an upper bound for those in linf.

    Args:
        p: 1, 2 or inf.
        eps: radii [D]; 0 freezes an entry.
        scale: standard deviations [D] or [B, D], or lower Cholesky factors [B, D, D].
    """
    if scale.dim() == 3:
        inverse = torch.linalg.solve_triangular(scale, torch.diag(eps).to(scale), upper=False)
        if p == 2:
            return torch.linalg.matrix_norm(inverse, ord=2) * (1 + _MARGIN)
        ends = inverse.norm(dim=-2)
        # In a box the sum of the axes' images is never too small.
        reach = ends.sum(-1) if p == math.inf else ends.amax(-1)
    else:
        ratio = torch.where(eps > 0, eps / scale, 0.0)
        # For l1 and l2 the farthest point lies on the axis where eps / std is largest.
        reach = ratio.norm(dim=-1) if p == math.inf else ratio.amax(-1)
    return reach * (1 + _MARGIN)


def smoothing_bound(p: Any, ball: LpBall, noise_std: Any, shape: Sequence[int], steps: int) -> Any:
    """P'(E) of an episode of at most `steps` steps of the smoothed policy, for every adversary.

    Phi(Phi^-1(p) + M), M = sqrt(steps) `smoothing_shift`.

    Args:
        p: P(E) of the smoothed policy without an adversary.

    Raises:
        ValueError: p outside [0, 1], no steps, shapes that do not fit.
    """
    require(AT_LEAST_ONE, steps=steps)
    return gaussian_filter(p, math.sqrt(steps) * smoothing_shift(ball, noise_std, shape))
