"""Bounds of a rate after a fixed number of episodes: their coverage, counted exactly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import binom, norm

from safer_gym.conformance.selfcheck.check import Check, refute_unless
from safer_gym.conformance.selfcheck.simulated import DELTA
from safer_gym.conformance.statistics import binomial_lower, binomial_upper


def _count_law(upper: Callable[[int, int, float], float]) -> str:
    """Exact coverage over every count, and the closed form for no hits."""
    worst = 0.0
    for n in (5, 20, 59, 200):
        bounds = np.array([upper(k, n, DELTA) for k in range(n + 1)])
        for p in np.linspace(0.01, 0.99, 99):
            error = float(binom.pmf(np.arange(n + 1), n, p)[bounds < p].sum())
            worst = max(worst, error)
            refute_unless(
                error <= DELTA + 1e-12, f"below the truth with chance {error:.3f}, p {p:.2f}, n {n}"
            )
        clean, exact = bounds[0], 1 - DELTA ** (1 / n)
        refute_unless(
            abs(clean - exact) < 1e-9, f"no hit in {n}: {clean:.4f}; closed form {exact:.4f}"
        )
    return f"error at most {worst:.4f} of {DELTA}, counted; closed form without hits"


def _rate_of(upper: Callable[[float, int, float], float]) -> Callable[[int, int, float], float]:
    return lambda k, n, delta: upper(k / n, n, delta)


CHECKS = (
    Check(
        "statistics",
        "Clopper-Pearson, upper",
        "above the truth with probability at least 1 - delta, by exact count",
        _count_law,
        binomial_upper,
        {
            "point estimate": _rate_of(lambda rate, n, delta: rate),
            "normal approximation": _rate_of(
                lambda rate, n, delta: rate + norm.ppf(1 - delta) * np.sqrt(rate * (1 - rate) / n)
            ),
            "twice the delta": lambda k, n, delta: binomial_upper(k, n, 2 * delta),
            "half of the delta": lambda k, n, delta: binomial_upper(k, n, delta / 2),
            "one hit less": lambda k, n, delta: binomial_upper(max(k - 1, 0), n, delta),
            "Hoeffding": _rate_of(
                lambda rate, n, delta: min(rate + np.sqrt(np.log(1 / delta) / (2 * n)), 1.0)
            ),
        },
    ),
    Check(
        "statistics",
        "Clopper-Pearson, lower",
        "below the truth with probability at least 1 - delta, by exact count",
        _count_law,
        lambda k, n, delta: 1 - binomial_lower(n - k, n, delta),
        {
            "upper and lower confused": lambda k, n, delta: 1 - binomial_upper(n - k, n, delta),
            "twice the delta": lambda k, n, delta: 1 - binomial_lower(n - k, n, 2 * delta),
        },
    ),
)
