"""Simulated measurements of the tail of a cost: how often is a bound of it ever too low?

As for means, no bound need be computed: it is too low exactly where the wealth against the truth
has reached its target.

Axes: G measurements, n episodes of each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from safer_gym.conformance.statistics.betting import bold_shares, log_wealth_of_counts
from safer_gym.conformance.statistics.bounds import Floats
from safer_gym.conformance.statistics.tail_bounds import THRESHOLDS, cvar_gains

CHUNK = 10
"""Measurements computed at once; few, so that they fit the processor's cache."""


def quantile_ever_missed(
    costs: Floats, truth: float, level: float, delta: float
) -> NDArray[np.bool_]:
    """Was `quantile_upper` below the true quantile after any episode? [G, n] to [G]"""
    n = costs.shape[-1]
    k, rounds = np.arange(n + 1)[:, None], np.arange(1, n + 1)[None, :]
    against = log_wealth_of_counts(np.minimum(k, rounds), rounds, level, bold_shares())
    below = np.cumsum(costs < truth, axis=-1)
    return (against[below, np.arange(n)] >= -np.log(delta)).any(axis=-1)


def cvar_ever_missed(costs: Floats, truth: float, level: float, delta: float) -> NDArray[np.bool_]:
    """Was `cvar_upper` below the true CVaR after any episode? Shares of `high` [G, n] to [G]"""
    parts = np.array_split(costs, max(1, len(costs) // CHUNK))
    return np.concatenate([_cvar_ever_missed(part, truth, level, delta) for part in parts])


def _cvar_ever_missed(costs: Floats, truth: float, level: float, delta: float) -> NDArray[np.bool_]:
    shares = bold_shares()
    gains = cvar_gains(costs, level, truth)
    wealth = np.cumsum(np.log1p(shares * gains[..., None]), axis=-2)
    total = logsumexp(wealth, axis=(0, -1)) - np.log(THRESHOLDS * len(shares))
    return (total >= -np.log(delta)).any(axis=-1)
