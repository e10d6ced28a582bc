"""What other gates do: rules that `calibration` must reject, and the honest fixed-size test.

Axes: G gates, K attacks, n episodes of each attack.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from benchmarks.calibration.rates import Rule, anytime_rule, tabled
from safer_gym.conformance.statistics.bounds import Bounds, Floats

LONGEST = 100_000


def point_rule(minimum: int = 20) -> Rule:
    """The largest observed rate as both bounds, from `minimum` episodes on. Unsound."""

    def rule(hits: NDArray[np.int64]) -> Bounds:
        worst = _rates(hits)
        early = np.arange(1, hits.shape[-1] + 1) < minimum
        return Bounds(np.where(early, 0.0, worst), np.where(early, 1.0, worst))

    return rule


def peeking_rule(delta: float) -> Rule:
    """Clopper-Pearson, split over attacks, but asked anew after every episode. Unsound."""
    bounds = tabled(
        lambda k, n, attacks: Bounds(
            _clopper_pearson(k, n, delta / attacks), 1.0 - _clopper_pearson(n - k, n, delta)
        )
    )

    def rule(hits: NDArray[np.int64]) -> Bounds:
        lower, upper = bounds(hits)
        return Bounds(lower.max(axis=1), upper.max(axis=1))

    return rule


def unsplit_rule(delta: float, attacks: int) -> Rule:
    """Anytime bounds, but the largest of K lower bounds at the delta of one. Unsound."""
    return anytime_rule(delta * attacks, delta)


def fixed_size(
    limit: float,
    rates: Sequence[float],
    *,
    delta_lower: float,
    delta_upper: float,
    miss: float,
) -> int:
    """Fewest episodes of each attack at which the exact fixed-size test is right.

    Right is PASS if no rate is above the limit, else FAIL, with probability at least 1 - miss.
    It spends its deltas as the gate does. It has to know the rates beforehand: the gate has not.

    Raises:
        ValueError: the worst rate is the limit, or `LONGEST` episodes are not enough.
    """
    worst = max(rates)
    if worst == limit:
        raise ValueError(f"rates must not reach exactly the limit {limit!r}: no size decides that")
    size = 100
    while size < LONGEST:
        right = _right(np.arange(1, size + 1), limit, np.asarray(rates), delta_lower, delta_upper)
        enough = np.flatnonzero(right >= 1.0 - miss)
        if enough.size:
            return int(enough[0]) + 1
        size *= 2
    raise ValueError(f"rates: {LONGEST} episodes do not tell {worst!r} from {limit!r}")


def _right(
    n: NDArray[np.int64], limit: float, rates: Floats, delta_lower: float, delta_upper: float
) -> Floats:
    """Probability that the fixed-size test of n episodes an attack is right [n]."""
    if rates.max() > limit:
        least = stats.binom.isf(delta_lower / len(rates), n, limit) + 1
        return 1.0 - np.prod(stats.binom.cdf(least - 1, n, rates[:, None]), axis=0)
    most = stats.binom.ppf(delta_upper, n, limit) - 1
    return np.prod(stats.binom.cdf(most, n, rates[:, None]), axis=0)


def _rates(hits: NDArray[np.int64]) -> Floats:
    return (hits / np.arange(1, hits.shape[-1] + 1)).max(axis=1)


def _clopper_pearson(k: NDArray[np.int64], n: NDArray[np.int64], delta: float) -> Floats:
    """`binomial_lower` of every entry."""
    lower = special.betaincinv(np.maximum(k, 1), n - k + 1, delta)
    return np.where(k == 0, 0.0, lower)
