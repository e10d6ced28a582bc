"""Bounds of a rate after a number of episodes, by exact count; and what a bound decides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import binom

from safer_gym.conformance.selfcheck.check import Check, refute_unless
from safer_gym.conformance.statistics import Verdict, binomial_lower, binomial_upper, decide

DELTA = 0.05


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


UPPER = Check(
    "statistics",
    "Clopper-Pearson, upper",
    "above the truth with probability at least 1 - delta, by exact count",
    _count_law,
    binomial_upper,
)
LOWER = Check(
    "statistics",
    "Clopper-Pearson, lower",
    "below the truth with probability at least 1 - delta, by exact count",
    _count_law,
    lambda k, n, delta: 1 - binomial_lower(n - k, n, delta),
)
VERDICT = Check(
    "statistics", "verdict", "PASS and FAIL only when a bound says so", _verdict_law, decide
)
CHECKS = (UPPER, LOWER, VERDICT)
