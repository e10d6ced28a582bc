"""What every confidence sequence returns, and the checks of arguments they share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safer_gym.domains import POSITIVE, PROBABILITY, require

Floats = NDArray[np.float64]


class Bounds(NamedTuple):
    """Running bounds after each of n episodes.

    `lower` is below the truth for all n at once with probability at least 1 - delta, and so is
    `upper` above it: each side spends its own delta. Neither ever moves outwards.
    """

    lower: Floats
    """[n]"""
    upper: Floats
    """[n]"""


def check_delta(delta: float) -> None:
    """Raise ValueError unless 0 < delta < 1."""
    require(PROBABILITY, delta=delta)


def check_level(level: float) -> None:
    """Raise ValueError unless 0 < level < 1."""
    require(PROBABILITY, level=level)


def check_values(values: ArrayLike, high: float) -> Floats:
    """`values` as a float64 vector [n], n >= 1, of numbers in [0, high]."""
    require(POSITIVE, high=high)
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"values must be a vector of at least one number, got {array.shape}")
    wrong = ~((array >= 0.0) & (array <= high))
    if wrong.any():
        raise ValueError(f"values must be in [0, high={high!r}], got {array[wrong][0]!r}")
    return array


def check_hits(hits: ArrayLike) -> NDArray[np.int64]:
    """`hits` as zeros and ones [n], n >= 1."""
    array = np.asarray(hits)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"hits must be a vector of at least one bool, got {array.shape}")
    if not np.isin(array, (0, 1)).all():
        raise ValueError("hits must be bools (or 0 and 1): did this episode break the limit?")
    return array.astype(np.int64)
