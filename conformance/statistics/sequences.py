"""Bounds that hold for every number of episodes at once: look, and stop, when you like.

Episodes must be independent draws of one law (or have one conditional mean): fresh seeds, and the
same policy, attack and environment throughout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safer_gym.conformance.statistics.betting import bold_shares, even_shares
from safer_gym.conformance.statistics.bounds import Bounds, check_delta, check_hits, check_values
from safer_gym.conformance.statistics.refuted import refuted_by_counts, refuted_by_values
from safer_gym.domains import PROBABILITY, require


def rate_sequence(hits: ArrayLike, delta: float, delta_upper: float | None = None) -> Bounds:
    """Bounds of the probability of a hit, after each episode.

    Args:
        hits: Did episode i break the limit? bool [n].
        delta: Error probability of each side.
        delta_upper: That of the upper side, if it differs: see `allocation`.

    Raises:
        ValueError: no episodes, hits that are not bools, delta outside (0, 1).
    """
    k = np.cumsum(check_hits(hits))
    bounds = rate_bounds(k, np.arange(1, len(k) + 1), delta, delta_upper)
    return Bounds(np.maximum.accumulate(bounds.lower), np.minimum.accumulate(bounds.upper))


def rate_bounds(
    k: NDArray[np.int64], n: NDArray[np.int64], delta: float, delta_upper: float | None = None
) -> Bounds:
    """Bounds after k hits in n episodes, entry by entry [P]; they hold for all n at once."""
    delta_upper = _upper(delta, delta_upper)
    return Bounds(
        lower=refuted_by_counts(k, n, delta, even_shares()),
        upper=1.0 - refuted_by_counts(n - k, n, delta_upper, bold_shares()),
    )


def mean_sequence(
    values: ArrayLike, high: float, delta: float, delta_upper: float | None = None
) -> Bounds:
    """Bounds of the mean of values in [0, high], after each episode.

    Args:
        values: Cost of each episode [n].
        high: The most that an episode can cost: steps times the largest cost of a step.
        delta: Error probability of each side.
        delta_upper: That of the upper side, if it differs: see `allocation`.

    Raises:
        ValueError: no values, a value outside [0, high], delta outside (0, 1).
    """
    delta_upper = _upper(delta, delta_upper)
    z = check_values(values, high) / high
    return Bounds(
        lower=high * refuted_by_values(z, delta, even_shares()),
        upper=high * (1.0 - refuted_by_values(1.0 - z, delta_upper, bold_shares())),
    )


def _upper(delta: float, delta_upper: float | None) -> float:
    """Check both; the upper side's own delta, or the common one."""
    chosen = delta if delta_upper is None else delta_upper
    check_delta(delta)
    require(PROBABILITY, delta_upper=chosen)
    return chosen
