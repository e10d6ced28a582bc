"""Exact bounds of a probability for a number of episodes fixed beforehand (Clopper-Pearson 1934).

Not for a gate that looks while it runs: see `sequences`.
"""

from __future__ import annotations

from scipy.special import betaincinv

from safer_gym.conformance.statistics.bounds import check_delta
from safer_gym.domains import AT_LEAST_ONE, COUNT, require


def binomial_lower(k: int, n: int, delta: float) -> float:
    """Below the probability of a hit with probability >= 1 - delta, having seen k hits in n.

    Raises:
        ValueError: k outside [0, n], n < 1, delta outside (0, 1).
    """
    _check(k, n, delta)
    return 0.0 if k == 0 else float(betaincinv(k, n - k + 1, delta))


def binomial_upper(k: int, n: int, delta: float) -> float:
    """Above the probability of a hit with probability >= 1 - delta, having seen k hits in n.

    Raises:
        ValueError: k outside [0, n], n < 1, delta outside (0, 1).
    """
    _check(k, n, delta)
    return 1.0 - binomial_lower(n - k, n, delta)


def _check(k: int, n: int, delta: float) -> None:
    check_delta(delta)
    require(AT_LEAST_ONE, n=n)
    require(COUNT, k=k)
    if k > n:
        raise ValueError(f"k must be in [0, n={n}], got {k!r}")
