"""Upper bounds of a quantile and of CVaR that hold at every number of episodes: stop when you like.

Both rest on `betting`: a quantile through the rate of episodes above it, CVaR through the mean
excess over a threshold (Rockafellar and Uryasev 2000). Near the worst case they need far fewer
episodes than a band around the whole distribution (`dkw`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from safer_gym.conformance.statistics.betting import bold_shares, log_wealth_of_counts
from safer_gym.conformance.statistics.bounds import (
    Floats,
    check_delta,
    check_level,
    check_values,
)

THRESHOLDS = 12
"""Thresholds of CVaR: 0 and high / 2, high / 4, ... in halves."""
_BISECTIONS = 24


def quantile_upper(values: ArrayLike, level: float, delta: float, high: float) -> float:
    """Above the smallest q with P(value <= q) >= level, with probability >= 1 - delta.

    An observed value, or `high` while there are too few episodes to say more. The number of
    values below q is a sum of hits whose rate is at most `level`; so many hits that this rate is
    refuted lie above q.

    Args:
        values: Cost of each episode, in [0, high] [n].
        level: In (0, 1), such as 0.95.
        delta: Error probability.
        high: The most that an episode can cost.

    Raises:
        ValueError: a value outside [0, high], or a probability outside (0, 1).
    """
    check_delta(delta)
    check_level(level)
    ordered = np.sort(check_values(values, high))
    n = len(ordered)
    against = log_wealth_of_counts(np.arange(n + 1), n, level, bold_shares())
    possible = np.flatnonzero(against < -np.log(delta))[-1]
    return float(ordered[possible]) if possible < n else float(high)


def cvar_upper(values: ArrayLike, level: float, delta: float, high: float) -> float:
    """Above the mean of the worst 1 - level of the episodes, with probability >= 1 - delta.

    CVaR is at most t + E[(value - t)+] / (1 - level) for every threshold t. If it were v, all of
    these would be at least v: the gambler bets against all of them at once, his coin split over
    thresholds and shares, and the bound is the smallest v that he refutes.

    Args:
        values: Cost of each episode, in [0, high] [n].
        level: In (0, 1), such as 0.95.
        delta: Error probability.
        high: The most that an episode can cost.

    Raises:
        ValueError: a value outside [0, high], or a probability outside (0, 1).
    """
    check_delta(delta)
    check_level(level)
    x = check_values(values, high) / high
    target = -np.log(delta)
    kept, refuted = 0.0, 1.0
    if cvar_log_wealth(x, level, refuted) < target:
        return float(high)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (kept + refuted)
        if cvar_log_wealth(x, level, middle) < target:
            kept = middle
        else:
            refuted = middle
    return float(high * refuted)


def thresholds() -> Floats:
    """Thresholds as shares of `high`."""
    return np.append(0.5 ** np.arange(1, THRESHOLDS), 0.0)


def cvar_log_wealth(x: Floats, level: float, v: float) -> float:
    """Log wealth, after all x in [0, 1] [n], of the bet against "their CVaR is at least v".

    It increases in v. The claim is refuted at level delta where it reaches log(1 / delta).
    """
    shares = bold_shares()
    wealth = [np.log1p(shares * gain[:, None]).sum(axis=0) for gain in cvar_gains(x, level, v)]
    return float(logsumexp(wealth) - np.log(THRESHOLDS * len(shares)))


def cvar_gains(x: Floats, level: float, v: float) -> Floats:
    """What each x in [0, 1], any axes [...], pays on a stake of 1 at each threshold [T, ...].

    At most 0 in the mean, at every threshold, if the claim "their CVaR is at least v" holds.
    """
    below = thresholds()
    below = below[below < v].reshape(-1, *(1,) * x.ndim)
    room = 1.0 - below
    claims = 1.0 - (1.0 - level) * (v - below) / room
    return (1.0 - np.maximum(x - below, 0.0) / room) / claims - 1.0
