"""Bounds that hold at every number of episodes at once: many paths simulated."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from mutants.simulated import (
    DELTA,
    LENGTH,
    PATHS,
    simulated_hits,
    tolerated,
)
from mutants.trial import Trial
from scipy.stats import norm

from safer_gym.conformance.selfcheck.check import refute_unless
from safer_gym.conformance.statistics import (
    Bounds,
    binomial_lower,
    binomial_upper,
    mean_sequence,
    rate_sequence,
)


def _running_law(sequence: Callable[[Any, float], Bounds]) -> str:
    """However one stops, each side errs in at most delta of the gates; and it does decide."""
    rate, wrong_low, wrong_high, width = 0.1, 0, 0, 0.0
    for path in simulated_hits(rate):
        lower, upper = sequence(path, DELTA)
        wrong_low += bool((lower > rate).any())
        wrong_high += bool((upper < rate).any())
        width += float(upper[-1] - lower[-1]) / PATHS
    for side, wrong in (("lower", wrong_low), ("upper", wrong_high)):
        refute_unless(wrong <= tolerated(PATHS, DELTA), f"{side} bound wrong in {wrong} of {PATHS}")
    hits = round(rate * LENGTH)
    fixed = binomial_upper(hits, LENGTH, DELTA) - binomial_lower(hits, LENGTH, DELTA)
    refute_unless(width <= 2.2 * fixed, f"{width / fixed:.1f} times as wide as a fixed test's")
    return (
        f"lower wrong in {wrong_low}, upper in {wrong_high} of {PATHS}; {width / fixed:.1f} times "
        "as wide as a fixed test's"
    )


def _mean_law(sequence: Callable[[Any, float, float], Bounds]) -> str:
    """The same for a mean: costs of 0 or 200; without any cost the bound must come down."""
    paths, length, rate, high = 40, 30, 0.3, 200.0
    hits = np.random.default_rng(3).random((paths, length)) < rate
    wrong = np.zeros(2, int)
    for path in hits:
        lower, upper = sequence(high * path, high, DELTA)
        wrong += [bool((lower > high * rate).any()), bool((upper < high * rate).any())]
    refute_unless((wrong <= tolerated(paths, DELTA)).all(), f"wrong in {wrong.tolist()} of {paths}")
    clean = sequence(np.zeros(200), high, DELTA).upper[-1] / high
    refute_unless(clean <= 0.06, f"200 episodes without cost: still up to {clean:.1%} of the range")
    return f"wrong in {wrong.tolist()} of {paths}; {clean:.1%} of the range after 200 zeros"


def peeking(path: Any, delta: float) -> Bounds:
    """Clopper-Pearson after every episode, each at the full delta."""
    k, n = np.cumsum(path), np.arange(1, len(path) + 1)
    lower, upper = _clopper_table(delta)
    return Bounds(np.maximum.accumulate(lower[n, k]), np.minimum.accumulate(upper[n, k]))


@cache
def _clopper_table(delta: float) -> tuple[Any, Any]:
    size = 2 * LENGTH + 1
    lower, upper = np.zeros((size, size)), np.ones((size, size))
    for n in range(1, size):
        for k in range(n + 1):
            lower[n, k], upper[n, k] = binomial_lower(k, n, delta), binomial_upper(k, n, delta)
    return lower, upper


def _normal(values: Any, high: float, delta: float) -> Bounds:
    """The central limit theorem after every episode."""
    n = np.arange(1, len(values) + 1)
    mean = np.cumsum(values) / n
    spread = np.sqrt(np.maximum(np.cumsum(values**2) / n - mean**2, 0) / n) * norm.ppf(1 - delta)
    return Bounds(mean - spread, mean + spread)


def _hoeffding(values: Any, high: float, delta: float) -> Bounds:
    n = np.arange(1, len(values) + 1)
    mean = np.cumsum(values) / n
    spread = high * np.sqrt(np.log(n * (n + 1) / delta) / (2 * n))
    return Bounds(mean - spread, mean + spread)


TRIALS = (
    Trial(
        "statistics",
        "rate, anytime",
        "bounds of a rate hold for all numbers of episodes at once",
        _running_law,
        rate_sequence,
        {
            "peeking Clopper-Pearson": peeking,
            "running rate": lambda path, delta: Bounds(
                *[np.cumsum(path) / np.arange(1, len(path) + 1)] * 2
            ),
            "ten times the delta": lambda path, delta: rate_sequence(path, 0.5),
            "a millionth of the delta": lambda path, delta: rate_sequence(path, delta * 1e-6),
        },
    ),
    Trial(
        "statistics",
        "mean, anytime",
        "bounds of a mean cost in [0, high] hold for all numbers of episodes at once",
        _mean_law,
        mean_sequence,
        {
            "normal approximation": _normal,
            "range forgotten": lambda values, high, delta: Bounds(
                *(b * 0.5 for b in mean_sequence(values, high, delta))
            ),
            "Hoeffding": _hoeffding,
        },
    ),
)
