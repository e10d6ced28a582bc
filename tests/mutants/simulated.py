"""Simulated episodes, and how many errors chance explains."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy.stats import binom

DELTA = 0.05
PATHS, LENGTH = 300, 80
"""Simulated gates, and episodes of each at most."""


def tolerated(trials: int, delta: float) -> int:
    """Errors out of `trials` that chance exceeds once in 10,000 if the rate is delta."""
    return int(binom.ppf(1 - 1e-4, trials, delta))


@cache
def simulated_hits(rate: float) -> Any:
    """Which episodes of each path break the limit, bool [PATHS, LENGTH]."""
    return np.random.default_rng(7).random((PATHS, LENGTH)) < rate
