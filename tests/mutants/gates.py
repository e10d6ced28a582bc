"""Gates: verdicts, the choice among attacks, and where the error probability goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from mutants.running_bounds import peeking
from mutants.simulated import (
    DELTA,
    LENGTH,
    PATHS,
    simulated_hits,
    tolerated,
)
from mutants.trial import Trial, of

from safer_gym.conformance.selfcheck.check import refute_unless
from safer_gym.conformance.selfcheck.counts import VERDICT
from safer_gym.conformance.statistics import (
    Share,
    Verdict,
    allocate,
    binomial_lower,
    delta_of,
    first_decision,
    rate_sequence,
    total,
)

Gate = Callable[[Any, float, float], tuple[Verdict, int]]
Selection = Callable[[Any, float], float]
Allocate = Callable[..., Sequence[Share]]


def _gate_law(gate: Gate) -> str:
    """A policy just over the limit passes in at most delta of the gates; a safe one does pass."""
    limit = 0.3
    passed = sum(gate(path, limit, DELTA)[0] is Verdict.PASS for path in simulated_hits(0.31))
    refute_unless(
        passed <= tolerated(PATHS, DELTA), f"passes {passed} of {PATHS} that are over the limit"
    )
    failed = sum(gate(path, limit, DELTA)[0] is Verdict.FAIL for path in simulated_hits(0.29))
    refute_unless(
        failed <= tolerated(PATHS, DELTA), f"fails {failed} of {PATHS} that are under the limit"
    )
    safe = gate(np.zeros(2 * LENGTH, bool), limit, DELTA)
    unsafe = gate(np.ones(LENGTH, bool), limit, DELTA)
    refute_unless(safe[0] is Verdict.PASS and unsafe[0] is Verdict.FAIL, "never decides")
    return (
        f"wrong PASS {passed}, wrong FAIL {failed} of {PATHS}; decides after {safe[1]} clean and "
        f"{unsafe[1]} bad episodes"
    )


def _selection_law(lower_of_worst: Selection) -> str:
    """K = 8 attacks of one and the same cost: the bound of the worst is not fooled by luck."""
    rng = np.random.default_rng(1)
    counts = rng.binomial(50, 0.3, (2000, 8))
    wrong = sum(lower_of_worst(row, DELTA) > 0.3 for row in counts)
    refute_unless(
        wrong <= tolerated(2000, DELTA), f"above the truth in {wrong} of 2000: {wrong / 2000:.1%}"
    )
    clear = lower_of_worst(np.full(8, 40), DELTA)
    refute_unless(clear > 0.6, f"40 of 50 under each attack, and the bound is {clear:.2f}")
    return f"above the truth in {wrong / 2000:.1%} of 2000"


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


def _sequential_gate(path: Any, limit: float, delta: float) -> tuple[Verdict, int]:
    verdict, n = first_decision(rate_sequence(path, delta), limit)
    return verdict, n


def _fixed(path: Any, n: int, limit: float, verdict: Callable[[int], bool]) -> Any:
    hits = int(path[:n].sum())
    return (Verdict.PASS if verdict(hits) else Verdict.FAIL), n


def _corrected(counts: Any, delta: float) -> float:
    names = [f"a{i}" for i in range(len(counts))]
    # One end of one sandwich gets half of what is allocated here.
    shares = allocate(2 * delta, [0.1], names, ("rate",), every=False)
    parts = [delta_of(shares, 0.1, name, "rate", "lower") for name in names]
    return max(binomial_lower(int(k), 50, part) for k, part in zip(counts, parts, strict=True))


TRIALS = (
    Trial(
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
                first_decision(peeking(path, delta), limit)
            ),
            "always inconclusive": lambda path, limit, delta: (Verdict.INCONCLUSIVE, len(path)),
        },
    ),
    Trial(
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
    Trial(
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
    of(
        VERDICT,
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
