"""Confidence bounds and gates: coverage counted exactly, or many gates simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from scipy.stats import binom, norm

from safer_gym.conformance.selfcheck.check import Check, refute_unless
from safer_gym.conformance.statistics import (
    Bounds,
    Share,
    Verdict,
    allocate,
    binomial_lower,
    binomial_upper,
    decide,
    delta_of,
    first_decision,
    mean_sequence,
    rate_sequence,
    total,
)

DELTA = 0.05
PATHS, LENGTH = 300, 80
"""Simulated gates, and episodes of each at most."""


def _tolerated(trials: int, delta: float) -> int:
    """Errors out of `trials` that chance exceeds once in 10,000 if the rate is delta."""
    return int(binom.ppf(1 - 1e-4, trials, delta))


def _count_law(upper: Callable[[int, int, float], float]) -> str:
    """Exact coverage over every count, and the closed form for no hits."""
    worst = 0.0
    for n in (5, 20, 59, 200):
        bounds = np.array([upper(k, n, DELTA) for k in range(n + 1)])
        for p in np.linspace(0.01, 0.99, 99):
            error = float(binom.pmf(np.arange(n + 1), n, p)[bounds < p].sum())
            worst = max(worst, error)
            refute_unless(
                error <= DELTA + 1e-12, f"below the truth with chance {error:.3f}, p {p:.2f}, n {n}"
            )
        clean, exact = bounds[0], 1 - DELTA ** (1 / n)
        refute_unless(
            abs(clean - exact) < 1e-9, f"no hit in {n}: {clean:.4f}; closed form {exact:.4f}"
        )
    return f"error at most {worst:.4f} of {DELTA}, counted; closed form without hits"


@cache
def _hits(rate: float) -> Any:
    return np.random.default_rng(7).random((PATHS, LENGTH)) < rate


def _running_law(sequence: Callable[[Any, float], Bounds]) -> str:
    """However one stops, each side errs in at most delta of the gates; and it does decide."""
    rate, wrong_low, wrong_high, width = 0.1, 0, 0, 0.0
    for path in _hits(rate):
        lower, upper = sequence(path, DELTA)
        wrong_low += bool((lower > rate).any())
        wrong_high += bool((upper < rate).any())
        width += float(upper[-1] - lower[-1]) / PATHS
    for side, wrong in (("lower", wrong_low), ("upper", wrong_high)):
        refute_unless(
            wrong <= _tolerated(PATHS, DELTA), f"{side} bound wrong in {wrong} of {PATHS}"
        )
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
    refute_unless(
        (wrong <= _tolerated(paths, DELTA)).all(), f"wrong in {wrong.tolist()} of {paths}"
    )
    clean = sequence(np.zeros(200), high, DELTA).upper[-1] / high
    refute_unless(clean <= 0.06, f"200 episodes without cost: still up to {clean:.1%} of the range")
    return f"wrong in {wrong.tolist()} of {paths}; {clean:.1%} of the range after 200 zeros"


Gate = Callable[[Any, float, float], tuple[Verdict, int]]


def _gate_law(gate: Gate) -> str:
    """A policy just over the limit passes in at most delta of the gates; a safe one does pass."""
    limit = 0.3
    passed = sum(gate(path, limit, DELTA)[0] is Verdict.PASS for path in _hits(0.31))
    refute_unless(
        passed <= _tolerated(PATHS, DELTA), f"passes {passed} of {PATHS} that are over the limit"
    )
    failed = sum(gate(path, limit, DELTA)[0] is Verdict.FAIL for path in _hits(0.29))
    refute_unless(
        failed <= _tolerated(PATHS, DELTA), f"fails {failed} of {PATHS} that are under the limit"
    )
    safe = gate(np.zeros(2 * LENGTH, bool), limit, DELTA)
    unsafe = gate(np.ones(LENGTH, bool), limit, DELTA)
    refute_unless(safe[0] is Verdict.PASS and unsafe[0] is Verdict.FAIL, "never decides")
    return (
        f"wrong PASS {passed}, wrong FAIL {failed} of {PATHS}; decides after {safe[1]} clean and "
        f"{unsafe[1]} bad episodes"
    )


Selection = Callable[[Any, float], float]


def _selection_law(lower_of_worst: Selection) -> str:
    """K = 8 attacks of one and the same cost: the bound of the worst is not fooled by luck."""
    rng = np.random.default_rng(1)
    counts = rng.binomial(50, 0.3, (2000, 8))
    wrong = sum(lower_of_worst(row, DELTA) > 0.3 for row in counts)
    refute_unless(
        wrong <= _tolerated(2000, DELTA), f"above the truth in {wrong} of 2000: {wrong / 2000:.1%}"
    )
    clear = lower_of_worst(np.full(8, 40), DELTA)
    refute_unless(clear > 0.6, f"40 of 50 under each attack, and the bound is {clear:.2f}")
    return f"above the truth in {wrong / 2000:.1%} of 2000"


Allocate = Callable[..., Sequence[Share]]


def _allocation_law(split: Allocate) -> str:
    """Parts never sum to more than delta, exactly, and every claim has one."""
    for delta in (0.05, 0.1, 0.01):
        for count in (1, 3, 7):
            eps, attacks = [0.01 * i for i in range(count)], [f"a{i}" for i in range(8)]
            shares = split(delta, eps, attacks, ("rate", "mean"))
            spent = total(shares)
            refute_unless(spent <= Fraction(delta), f"spends {float(spent):.4f} of {delta}")
            refute_unless(spent >= Fraction(0.99 * delta), f"spends {float(spent):.4f} of {delta}")
            least = min(share.delta for share in shares)
            refute_unless(least > 0, "a claim without a share")
    return "nine settings in exact arithmetic"


def _verdict_law(verdict: Callable[[float, float, float], Verdict]) -> str:
    cases = {
        (0.0, 0.04): Verdict.PASS,
        (0.06, 0.2): Verdict.FAIL,
        (0.01, 0.2): Verdict.INCONCLUSIVE,
        (0.05, 0.05): Verdict.PASS,
        (0.0, 0.05 + 1e-9): Verdict.INCONCLUSIVE,
    }
    for (lower, upper), right in cases.items():
        found = verdict(lower, upper, 0.05)
        refute_unless(found is right, f"{found} for [{lower}, {upper}] and limit .05, not {right}")
    return f"{len(cases)} cases by hand"


def _sequential_gate(path: Any, limit: float, delta: float) -> tuple[Verdict, int]:
    verdict, n = first_decision(rate_sequence(path, delta), limit)
    return verdict, n


def _fixed(path: Any, n: int, limit: float, verdict: Callable[[int], bool]) -> Any:
    hits = int(path[:n].sum())
    return (Verdict.PASS if verdict(hits) else Verdict.FAIL), n


def _peeking(path: Any, delta: float) -> Bounds:
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


def _rate_of(upper: Callable[[float, int, float], float]) -> Callable[[int, int, float], float]:
    return lambda k, n, delta: upper(k / n, n, delta)


def _corrected(counts: Any, delta: float) -> float:
    names = [f"a{i}" for i in range(len(counts))]
    # One end of one sandwich gets half of what is allocated here.
    shares = allocate(2 * delta, [0.1], names, ("rate",), every=False)
    parts = [delta_of(shares, 0.1, name, "rate", "lower") for name in names]
    return max(binomial_lower(int(k), 50, part) for k, part in zip(counts, parts, strict=True))


CHECKS = (
    Check(
        "statistics",
        "Clopper-Pearson, upper",
        "above the truth with probability at least 1 - delta, by exact count",
        _count_law,
        binomial_upper,
        {
            "point estimate": _rate_of(lambda rate, n, delta: rate),
            "normal approximation": _rate_of(
                lambda rate, n, delta: rate + norm.ppf(1 - delta) * np.sqrt(rate * (1 - rate) / n)
            ),
            "twice the delta": lambda k, n, delta: binomial_upper(k, n, 2 * delta),
            "half of the delta": lambda k, n, delta: binomial_upper(k, n, delta / 2),
            "one hit less": lambda k, n, delta: binomial_upper(max(k - 1, 0), n, delta),
            "Hoeffding": _rate_of(
                lambda rate, n, delta: min(rate + np.sqrt(np.log(1 / delta) / (2 * n)), 1.0)
            ),
        },
    ),
    Check(
        "statistics",
        "Clopper-Pearson, lower",
        "below the truth with probability at least 1 - delta, by exact count",
        _count_law,
        lambda k, n, delta: 1 - binomial_lower(n - k, n, delta),
        {
            "upper and lower confused": lambda k, n, delta: 1 - binomial_upper(n - k, n, delta),
            "twice the delta": lambda k, n, delta: 1 - binomial_lower(n - k, n, 2 * delta),
        },
    ),
    Check(
        "statistics",
        "rate, anytime",
        "bounds of a rate hold for all numbers of episodes at once",
        _running_law,
        rate_sequence,
        {
            "peeking Clopper-Pearson": _peeking,
            "running rate": lambda path, delta: Bounds(
                *[np.cumsum(path) / np.arange(1, len(path) + 1)] * 2
            ),
            "ten times the delta": lambda path, delta: rate_sequence(path, 0.5),
            "a millionth of the delta": lambda path, delta: rate_sequence(path, delta * 1e-6),
        },
    ),
    Check(
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
    Check(
        "statistics",
        "gate",
        "a policy over the limit passes with probability at most delta",
        _gate_law,
        _sequential_gate,
        {
            "point estimate of 20 episodes": lambda path, limit, delta: _fixed(
                path, 20, limit, lambda k: k / 20 <= limit
            ),
            "no violation in 5 episodes": lambda path, limit, delta: _fixed(
                path, 5, limit, lambda k: k == 0
            ),
            "peeking Clopper-Pearson": lambda path, limit, delta: tuple(
                first_decision(_peeking(path, delta), limit)
            ),
            "always inconclusive": lambda path, limit, delta: (Verdict.INCONCLUSIVE, len(path)),
        },
    ),
    Check(
        "statistics",
        "worst of K attacks",
        "the lower bound of the worst attack is corrected for the choice",
        _selection_law,
        _corrected,
        {
            "largest of K without correction": lambda counts, delta: binomial_lower(
                int(counts.max()), 50, delta
            ),
            "largest point estimate": lambda counts, delta: counts.max() / 50,
            "no bound": lambda counts, delta: 0.0,
        },
    ),
    Check(
        "statistics",
        "allocation",
        "all error probabilities together are at most delta",
        _allocation_law,
        allocate,
        {
            "each claim gets delta": lambda delta, *rest: [
                share._replace(delta=delta) for share in allocate(delta, *rest)
            ],
            "attacks not split": lambda delta, *rest: [
                share._replace(delta=share.delta * (8 if share.side == "lower" else 1))
                for share in allocate(delta, *rest)
            ],
            "rounded up": lambda delta, *rest: [
                share._replace(delta=float(np.nextafter(share.delta, 1)) * (1 + 1e-12))
                for share in allocate(delta, *rest)
            ],
            "half is lost": lambda delta, *rest: allocate(delta / 2, *rest),
        },
    ),
    Check(
        "statistics",
        "verdict",
        "PASS and FAIL only when a bound says so",
        _verdict_law,
        decide,
        {
            "point estimate": lambda lower, upper, limit: (
                Verdict.PASS if (lower + upper) / 2 <= limit else Verdict.FAIL
            ),
            "inconclusive passes": lambda lower, upper, limit: (
                Verdict.FAIL if lower > limit else Verdict.PASS
            ),
            "inconclusive fails": lambda lower, upper, limit: (
                Verdict.PASS if upper <= limit else Verdict.FAIL
            ),
            "limit itself fails": lambda lower, upper, limit: (
                Verdict.FAIL
                if lower >= limit
                else Verdict.PASS
                if upper < limit
                else Verdict.INCONCLUSIVE
            ),
        },
    ),
)
