"""Upper bounds of quantiles and CVaR from a band around the distribution function (DKW).

F_n - F exceeds sqrt(log(1 / delta) / (2 n)) anywhere with probability at most delta <= 1/2
(Dvoretzky, Kiefer and Wolfowitz 1956, constant of Massart 1990). One delta pays for all levels,
but n must be fixed beforehand. For a gate that stops early see `tails`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from safer_gym.conformance.statistics.bounds import Floats, check_delta, check_level, check_values


def dkw_quantile_upper(values: ArrayLike, level: float, delta: float, high: float) -> float:
    """Above the smallest q with P(value <= q) >= level, for all levels at once.

    Args:
        values: Cost of each episode, in [0, high] [n].
        level: In (0, 1).
        delta: Error probability, at most 1/2.
        high: The most that an episode can cost.

    Raises:
        ValueError: a value outside [0, high], a level outside (0, 1), a delta outside (0, 1/2].
    """
    check_level(level)
    ordered, n = np.sort(check_values(values, high)), np.size(values)
    # The least k with k / n - band >= level; the nudge is for rounding, outwards.
    k = int(np.ceil(n * (level + _band(n, delta)) + 1e-9))
    return float(ordered[k - 1]) if k <= n else float(high)


def dkw_cvar_upper(values: ArrayLike, level: float, delta: float, high: float) -> float:
    """Above the mean of the worst 1 - level of the episodes, for all levels at once.

    The worst law in the band moves the mass of the smallest values up to `high`. Arguments and
    errors as `dkw_quantile_upper`.
    """
    check_level(level)
    ordered, n = np.sort(check_values(values, high)), np.size(values)
    band = min(_band(n, delta), 1.0)
    top = np.append(ordered, high)
    edges = np.append(np.maximum(np.arange(n + 1) / n - band, 0.0), 1.0)
    return _mean_above(level, edges, top)


def _band(n: int, delta: float) -> float:
    check_delta(delta)
    if delta > 0.5:
        raise ValueError(f"delta must be at most 1/2 for this inequality, got {delta!r}")
    return float(np.sqrt(-np.log(delta) / (2 * n)))


def _mean_above(level: float, edges: Floats, values: Floats) -> float:
    """Mean over u in (level, 1) of the step function worth values[i] between edges i and i + 1."""
    clipped = np.maximum(edges, level)
    return float(np.diff(clipped) @ values / (1.0 - level))
