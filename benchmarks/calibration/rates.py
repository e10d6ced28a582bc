"""Simulated gates: do bounds keep their promise when many attacks race and the gate stops early?

A gate runs K attacks, all with the same number of episodes, and after each round asks a `Rule`
for bounds of the worst attack's rate. It stops at the first verdict. True rates are known here,
so every miss and every false verdict can be counted. The rules to try are `anytime_rule` and those
of `baselines`: a check must also be seen to reject a bad rule.

Axes: G gates, K attacks, n episodes of each attack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from safer_gym.conformance.statistics.bounds import Bounds, Floats
from safer_gym.conformance.statistics.sequences import rate_bounds

Rule = Callable[[NDArray[np.int64]], Bounds]
"""From hits so far of each attack after each round [G, K, n] to bounds of the worst rate [G, n]."""

ALARM = 1e-3
"""Chance that a correct bound, missing exactly as often as it may, is called wrong."""


class Gates(NamedTuple):
    """What became of G simulated gates."""

    stopped: NDArray[np.int64]
    """Episodes of each attack until the verdict; all of them without one [G]."""
    passed: NDArray[np.bool_]
    """[G]"""
    failed: NDArray[np.bool_]
    """[G]"""
    missed_lower: NDArray[np.bool_]
    """Was the lower bound above the truth when the gate stopped? [G]"""
    missed_upper: NDArray[np.bool_]
    """Was the upper bound below the truth when the gate stopped? [G]"""
    ever_missed_lower: NDArray[np.bool_]
    """Was it so after any round: the worst that optional stopping could do? [G]"""
    ever_missed_upper: NDArray[np.bool_]
    """[G]"""

    @property
    def missed(self) -> NDArray[np.bool_]:
        """Was the truth outside the interval when the gate stopped? [G]"""
        return self.missed_lower | self.missed_upper


def simulate(
    rule: Rule,
    rates: Sequence[float],
    limit: float,
    *,
    gates: int,
    episodes: int,
    generator: np.random.Generator,
    chunk: int = 50,
) -> Gates:
    """Run gates on Bernoulli attacks.

    Args:
        rule: Bounds of the worst rate.
        rates: True rate of each attack [K]; the truth is their maximum.
        limit: The requirement: at most this rate.
        gates: G.
        episodes: Most episodes of each attack.
        generator: Source of the hits.
        chunk: Gates computed at once; few, so that they fit the processor's cache.
    """
    parts = [
        _run(rule, np.asarray(rates), limit, min(chunk, gates - start), episodes, generator)
        for start in range(0, gates, chunk)
    ]
    return Gates(*map(np.concatenate, zip(*parts, strict=True)))


def _run(
    rule: Rule, rates: Floats, limit: float, gates: int, n: int, generator: np.random.Generator
) -> Gates:
    hits = generator.random((gates, len(rates), n)) < rates[:, None]
    lower, upper = rule(np.cumsum(hits, axis=-1))
    decided = (lower > limit) | (upper <= limit)
    any_verdict = decided.any(axis=1)
    stop = np.where(any_verdict, decided.argmax(axis=1), n - 1)
    rows = np.arange(gates)
    failed = lower[rows, stop] > limit
    low_miss, high_miss = lower > rates.max(), upper < rates.max()
    return Gates(
        stopped=stop + 1,
        passed=any_verdict & ~failed,
        failed=failed,
        missed_lower=low_miss[rows, stop],
        missed_upper=high_miss[rows, stop],
        ever_missed_lower=low_miss.any(axis=1),
        ever_missed_upper=high_miss.any(axis=1),
    )


def anytime_rule(delta_lower: float, delta_upper: float) -> Rule:
    """The gate's own rule: `rate_sequence` of each attack, deltas as `allocation` spends them.

    Any of K lower bounds may err, so each gets delta_lower / K. The largest upper bound is below
    the truth only if that of the worst attack is, so each gets all of delta_upper.
    """
    bounds = tabled(lambda k, n, attacks: rate_bounds(k, n, delta_lower / attacks, delta_upper))

    def rule(hits: NDArray[np.int64]) -> Bounds:
        lower, upper = bounds(hits)
        return Bounds(
            lower=np.maximum.accumulate(lower, axis=-1).max(axis=1),
            upper=np.minimum.accumulate(upper, axis=-1).max(axis=1),
        )

    return rule


def tabled(
    bounds: Callable[[NDArray[np.int64], NDArray[np.int64], int], Bounds],
) -> Callable[[NDArray[np.int64]], Bounds]:
    """Bounds of each attack [G, K, n] by a function of (hits [P], episodes [P], K).

    Every pair of hits and episodes is computed once, when first needed.
    """
    known: dict[tuple[int, int], Bounds] = {}

    def look_up(hits: NDArray[np.int64]) -> Bounds:
        attacks, length = hits.shape[1:]
        empty = np.full((2, length + 1, length), np.nan)
        table = known.setdefault((attacks, length), Bounds(*empty))
        rounds = np.arange(length)
        needed = np.zeros(table.lower.shape, dtype=bool)
        needed[hits, rounds] = True
        k, i = np.nonzero(needed & np.isnan(table.lower))
        table.lower[k, i], table.upper[k, i] = bounds(k, i + 1, attacks)
        return Bounds(table.lower[hits, rounds], table.upper[hits, rounds])

    return look_up


def tolerated(trials: int, delta: float) -> int:
    """The most misses in `trials` that a bound missing with probability delta has, bar `ALARM`."""
    return int(stats.binom.isf(ALARM, trials, delta))
