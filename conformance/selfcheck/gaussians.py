"""Closed forms of Gaussians and of randomised smoothing, against numerical integration."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.special import ndtr, ndtri

from safer_gym.balls import LpBall
from safer_gym.bounds import smoothing_bound
from safer_gym.conformance.selfcheck.check import Check, refute_unless
from safer_gym.divergences import gaussian_kl, gaussian_tv
from safer_gym.types import Gaussian

Divergence = Callable[[Gaussian, Gaussian], Any]
_PAIRS = ((0.0, 1.0, 0.5, 1.0), (0.3, 0.7, -1.0, 0.7), (0.0, 0.5, 1.0, 2.0), (1.0, 2.0, 0.0, 0.5))
"""Mean and deviation of p, then of q."""
_GRID = np.linspace(-25, 25, 200_001)


def _gaussian(mean: float, deviation: float) -> Gaussian:
    numbers = torch.tensor([[mean], [deviation]], dtype=torch.float64)
    return Gaussian(numbers[:1], numbers[1:])


def _log_density(mean: float, deviation: float) -> Any:
    return -0.5 * ((_GRID - mean) / deviation) ** 2 - math.log(deviation * math.sqrt(2 * math.pi))


def _kl_law(divergence: Divergence) -> str:
    for a, b, c, d in _PAIRS:
        p, q = _log_density(a, b), _log_density(c, d)
        exact = float(np.trapezoid(np.exp(p) * (p - q), _GRID))
        found = float(divergence(_gaussian(a, b), _gaussian(c, d)))
        refute_unless(abs(found - exact) < 1e-6, f"{found:.6g}; integral {exact:.6g}")
    return "four pairs, by quadrature to 1e-6"


def _tv_law(divergence: Divergence) -> str:
    """Exact for equal deviations, never below for others."""
    for a, b, c, d in _PAIRS:
        p, q = _log_density(a, b), _log_density(c, d)
        exact = 0.5 * float(np.trapezoid(np.abs(np.exp(p) - np.exp(q)), _GRID))
        found = float(divergence(_gaussian(a, b), _gaussian(c, d)))
        told = f"{found:.6g}; integral {exact:.6g}"
        refute_unless(found >= exact - 1e-6, told)
        refute_unless(b != d or found <= exact + 1e-6, told)
    return "exact for equal deviations, above for others"


def _smoothing_law(bound: Any) -> str:
    """Attained by the event sum_t w o_t >= c of a policy that passes its observations on."""
    worst = 0.0
    for norm, reach in (("linf", math.sqrt(3)), ("l2", 1.0), ("l1", 1.0)):
        for eps, std, steps in ((0.1, 0.5, 1), (0.1, 0.5, 9), (0.02, 0.3, 100)):
            exact = ndtr(ndtri(0.2) + math.sqrt(steps) * eps * reach / std)
            found = bound(0.2, LpBall.of(norm, eps), std, (3,), steps)
            worst = max(worst, abs(found - exact))
            refute_unless(worst < 1e-5, f"{norm}, H = {steps}: {found:.5g}; attained {exact:.5g}")
    return f"tight case in nine settings, to {worst:.1g}"


KL = Check("closed forms", "Gaussian KL", "KL between Gaussians", _kl_law, gaussian_kl)
TV = Check("closed forms", "Gaussian TV", "2 Phi(m / 2) - 1", _tv_law, gaussian_tv)
SMOOTHING = Check(
    "closed forms",
    "smoothing",
    "Phi(Phi^-1(P) + B / sigma) with the total l2 budget, attained",
    _smoothing_law,
    smoothing_bound,
)
CHECKS = (KL, TV, SMOOTHING)
