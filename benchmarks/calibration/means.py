"""Simulated gates on mean cost, as `calibration` does for rates.

A mean's bound is beyond a value exactly when the wealth at that value has reached its target, so
no bound need be computed: `log_wealth` at the truth counts the misses, at the limit the verdicts.

Axes: G gates, K attacks, n episodes of each attack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.rates import Gates
from safer_gym.conformance.statistics.betting import bold_shares, even_shares, log_wealth
from safer_gym.conformance.statistics.bounds import Floats

Costs = Callable[[np.random.Generator, int], Floats]
"""Draws that many gates' costs in [0, 1], as shares of the most an episode can cost [G, K, n]."""


def simulate_means(
    costs: Costs,
    means: Sequence[float],
    limit: float,
    *,
    gates: int,
    delta_lower: float,
    delta_upper: float,
    generator: np.random.Generator,
    chunk: int = 8,
) -> Gates:
    """Run gates that stop at the first verdict on "the worst mean is at most `limit`".

    Args:
        costs: Draws the episodes.
        means: Their true means [K], in [0, 1); the truth is the largest.
        limit: In (0, 1).
        gates: G.
        delta_lower: Error probability of all K lower bounds together.
        delta_upper: Error probability of the upper bound of the worst attack.
        generator: Source of the costs.
        chunk: Gates computed at once; few, so that they fit the processor's cache.
    """
    deltas = (delta_lower / len(means), delta_upper)
    parts = [
        _run(costs(generator, min(chunk, gates - start)), max(means), limit, deltas)
        for start in range(0, gates, chunk)
    ]
    return Gates(*map(np.concatenate, zip(*parts, strict=True)))


def _run(costs: Floats, truth: float, limit: float, deltas: tuple[float, float]) -> Gates:
    fails, passes = _beyond(costs, limit, deltas)
    low, high = (fails, passes) if truth == limit else _beyond(costs, truth, deltas)
    decided = fails | passes
    rows, last = np.arange(len(costs)), costs.shape[-1] - 1
    any_verdict = decided.any(axis=1)
    stop = np.where(any_verdict, decided.argmax(axis=1), last)
    failed = fails[rows, stop]
    return Gates(
        stopped=stop + 1,
        passed=any_verdict & ~failed,
        failed=failed,
        missed_lower=low[rows, stop],
        missed_upper=high[rows, stop],
        ever_missed_lower=low[:, -1],
        ever_missed_upper=high[:, -1],
    )


def _beyond(
    costs: Floats, mean: float, deltas: tuple[float, float]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Is the largest lower bound above `mean`, and the largest upper bound below it? [G, n]"""
    above = _reached(costs, mean, deltas[0], even_shares())
    below = _reached(1.0 - costs, 1.0 - mean, deltas[1], bold_shares())
    return np.logical_or.reduce(above, axis=1), np.logical_and.reduce(below, axis=1)


def _reached(z: Floats, mean: float, delta: float, shares: Floats) -> NDArray[np.bool_]:
    """Has the wealth against "the mean of z is at most `mean`" ever reached 1 / delta?"""
    return np.logical_or.accumulate(log_wealth(z, mean, shares) >= -np.log(delta), axis=-1)
