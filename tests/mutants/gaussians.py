"""Wrong closed forms of Gaussians and of randomised smoothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from mutants.trial import of

from safer_gym.balls import LpBall
from safer_gym.bounds import gaussian_filter, smoothing_bound
from safer_gym.conformance.selfcheck.gaussians import KL, SMOOTHING, TV
from safer_gym.divergences import gaussian_kl, gaussian_tv
from safer_gym.types import Gaussian


def _smoothed(size: Callable[[float, float, int], float]) -> Any:
    """A bound of a wrong total size: of the step's reach, the deviation and the steps."""

    def bound(p: float, ball: LpBall, std: float, shape: tuple[int, ...], steps: int) -> Any:
        reach = float(ball.eps) * (math.sqrt(shape[0]) if ball.p == math.inf else 1.0)
        return gaussian_filter(p, size(reach, std, steps))

    return bound


def _shift(p: Gaussian, q: Gaussian) -> torch.Tensor:
    return ((p.mean - q.mean) / p.scale).norm()


TRIALS = (
    of(
        KL,
        {
            "reversed": lambda p, q: gaussian_kl(q, p),
            "missing 1 / 2": lambda p, q: 2 * gaussian_kl(p, q),
            "mean part alone": lambda p, q: 0.5 * _shift(q, p).square(),
        },
    ),
    of(
        TV,
        {
            "Pinsker": lambda p, q: (gaussian_kl(p, q) / 2).sqrt(),
            "2 Phi(m) - 1": lambda p, q: 2 * torch.special.ndtr(_shift(p, q)) - 1,
            "half of it": lambda p, q: gaussian_tv(p, q) / 2,
            "equal deviations assumed": lambda p, q: 2 * torch.special.ndtr(_shift(q, p) / 2) - 1,
        },
    ),
    of(
        SMOOTHING,
        {
            "one step's budget": _smoothed(lambda reach, std, steps: reach / std),
            "steps instead of their root": _smoothed(lambda reach, std, steps: steps * reach / std),
            "variance for deviation": _smoothed(
                lambda reach, std, steps: math.sqrt(steps) * reach / std**2
            ),
            "linf radius taken for l2": lambda p, ball, std, shape, steps: smoothing_bound(
                p, LpBall(2, ball.eps), std, shape, steps
            ),
        },
    ),
)
