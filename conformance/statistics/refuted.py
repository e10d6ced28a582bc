"""The largest mean that `betting` refutes: lower bounds of the mean of z in [0, 1].

Write a claimed mean as exp(-s). Log wealth increases in s and is convex (a log of sums of
exponentials), so Newton's method started above the root stays above it, and every s above the
root is a sound bound: stopping early costs width, never soundness.

Axes: J shares, P pairs of counts, n episodes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safer_gym.conformance.statistics.bounds import Floats

NEWTON_STEPS = 60
EXCESS = 1e-6
"""Newton stops when log wealth is above log(1 / delta) by no more than this."""
MOVE = 0.01
"""A running bound of values moves when log wealth there is above log(1 / delta) by more than this;
it costs as much width as a delta 1 % smaller."""
ROUND_OUT = 1e-12
CHUNK = 1000
"""Pairs of counts solved together; more would not fit the processor's cache."""
TINY = 1e-12
"""Smaller values count as zero; that only lowers the bound."""


def refuted_by_counts(
    k: NDArray[np.int64], n: NDArray[np.int64], delta: float, shares: Floats
) -> Floats:
    """Bound of the probability of a hit after k hits in n episodes [P]."""
    bound = np.zeros(k.shape)
    for some in np.array_split(np.flatnonzero(k > 0), 1 + k.size // CHUNK):
        s = _root_of_counts(k[some].astype(float), (n - k)[some].astype(float), delta, shares)
        bound[some] = np.exp(-s) * (1.0 - ROUND_OUT)
    return bound


def _root_of_counts(hits: Floats, misses: Floats, delta: float, c: Floats) -> Floats:
    """The s [P] at which log wealth is log(1 / delta), from above."""
    target = np.log(len(c)) - np.log(delta)
    s = _start(hits, misses, np.zeros(len(hits)), target, c)
    lost = misses[:, None] * np.log1p(-c)
    for _ in range(NEWTON_STEPS):
        stakes = c * np.exp(s)[:, None]
        factors = 1.0 - c + stakes
        wealth = hits[:, None] * np.log(factors) + lost
        total, slope = _total_and_slope(wealth, hits[:, None] * stakes / factors)
        excess = total - target
        s = s - np.maximum(excess, 0.0) / slope
        if (excess <= EXCESS).all():
            break
    return s


def refuted_by_values(z: Floats, delta: float, shares: Floats) -> Floats:
    """Running bound of the mean after each of the values z in [0, 1] [n].

    The bound moves only when the wealth at the present bound passes 1 / delta.
    """
    z = np.where(z < TINY, 0.0, z)
    target = np.log(len(shares)) - np.log(delta)
    bound = np.zeros(len(z))
    s = np.inf
    wealth: Floats = np.zeros(len(shares))
    for i in range(len(z)):
        seen = z[: i + 1]
        if np.isfinite(s):
            wealth = wealth + _log_factors(z[i : i + 1], s, shares)[0]
        elif z[i] > 0.0:
            s = _first(seen, target, shares)
            wealth = _log_factors(seen, s, shares).sum(axis=0)
        if np.isfinite(s) and _total(wealth) - target > MOVE:
            s, wealth = _lower(seen, s, wealth, target, shares)
        bound[i] = np.exp(-s) * (1.0 - ROUND_OUT)
    return bound


def _lower(z: Floats, s: float, wealth: Floats, target: float, c: Floats) -> tuple[float, Floats]:
    """From an s above the root to one within `MOVE` of it, with each share's log wealth there."""
    for _ in range(NEWTON_STEPS):
        stakes = c * z[:, None] * np.exp(s)
        slopes = (stakes / (1.0 - c + stakes)).sum(axis=0)
        total, slope = _total_and_slope(wealth, slopes)
        s = s - float((total - target) / slope)
        wealth = _log_factors(z, s, c).sum(axis=0)
        if _total(wealth) - target <= MOVE:
            break
    return s, wealth


def _first(z: Floats, target: float, shares: Floats) -> float:
    positive = z[z > 0.0]
    misses = np.array([len(z) - len(positive)])
    total = np.array([np.log(positive).sum()])
    return float(_start(np.array([len(positive)]), misses, total, target, shares)[0])


def _start(hits: Floats, misses: Floats, log_sum: Floats, target: float, c: Floats) -> Floats:
    """An s [P] above the root: there some share alone has the wealth, counting c z e^s only.

    Args:
        hits: Positive values [P], with the sum of their logs [P].
        misses: Zeros [P].
    """
    lost = hits[:, None] * np.log(c) + misses[:, None] * np.log1p(-c)
    return (target - lost.max(axis=1) - log_sum) / hits


def _log_factors(z: Floats, s: float, c: Floats) -> Floats:
    """Log of what each value does to each share's wealth [n, J]."""
    return np.log1p(c * (z[:, None] * np.exp(s) - 1.0))


def _total_and_slope(wealth: Floats, slopes: Floats) -> tuple[Floats, Floats]:
    """Log of the summed wealth, and its derivative from those of each log [..., J] -> [...]."""
    top = wealth.max(axis=-1, keepdims=True)
    weights = np.exp(wealth - top)
    total = weights.sum(axis=-1)
    return top[..., 0] + np.log(total), (weights * slopes).sum(axis=-1) / total


def _total(wealth: Floats) -> float:
    """Log of the summed wealth of one vector."""
    top = wealth.max()
    return float(top + np.log(np.exp(wealth - top).sum()))
