"""Bounds that hold for every number of episodes at once: look, and stop, when you like.

Episodes must be independent draws of one law (or have one conditional mean): fresh seeds, and the
same policy, attack and environment throughout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safer_gym.conformance.statistics.betting import lower_of_counts, lower_of_values
from safer_gym.conformance.statistics.bounds import (
    Bounds,
    Floats,
    check_delta,
    check_hits,
    check_values,
)


def rate_sequence(hits: ArrayLike, delta: float) -> Bounds:
    """Bounds of the probability of a hit, after each episode.

    Args:
        hits: Did episode i break the limit? bool [n].
        delta: Error probability of each side.

    Raises:
        ValueError: no episodes, hits that are not bools, delta outside (0, 1).
    """
    check_delta(delta)
    k = np.cumsum(check_hits(hits))
    n = np.arange(1, len(k) + 1)
    return Bounds(
        lower=np.maximum.accumulate(_rate_lower(k, n, delta)),
        upper=np.minimum.accumulate(1.0 - _rate_lower(n - k, n, delta)),
    )


def mean_sequence(values: ArrayLike, high: float, delta: float) -> Bounds:
    """Bounds of the mean of values in [0, high], after each episode.

    Args:
        values: Cost of each episode [n].
        high: The most that an episode can cost: steps times the largest cost of a step.
        delta: Error probability of each side.

    Raises:
        ValueError: no values, a value outside [0, high], delta outside (0, 1).
    """
    check_delta(delta)
    z = check_values(values, high) / high
    return Bounds(
        lower=high * lower_of_values(z, delta), upper=high * (1.0 - lower_of_values(1.0 - z, delta))
    )


def _rate_lower(k: NDArray[np.int64], n: NDArray[np.int64], delta: float) -> Floats:
    return lower_of_counts(k, n, delta)
