"""Wrong bounds of a rate after a fixed number of episodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from mutants.trial import of
from scipy.stats import norm

from safer_gym.conformance.selfcheck.counts import LOWER, UPPER
from safer_gym.conformance.statistics import binomial_lower, binomial_upper


def _rate_of(upper: Callable[[float, int, float], float]) -> Callable[[int, int, float], float]:
    return lambda k, n, delta: upper(k / n, n, delta)


TRIALS = (
    of(
        UPPER,
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
    of(
        LOWER,
        {
            "upper and lower confused": lambda k, n, delta: 1 - binomial_upper(n - k, n, delta),
            "twice the delta": lambda k, n, delta: 1 - binomial_lower(n - k, n, 2 * delta),
        },
    ),
)
