"""From bounds to a verdict: PASS and FAIL only when the bound says so, else INCONCLUSIVE."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np

from safer_gym.conformance.statistics.bounds import Bounds
from safer_gym.domains import ANY_NUMBER, require


class Verdict(str, Enum):
    """What the evidence says of "the quantity is at most its limit"."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


class Decision(NamedTuple):
    """Where a gate stopped."""

    verdict: Verdict
    n: int
    """Episodes it needed; all of them when it is INCONCLUSIVE."""


def decide(lower: float, upper: float, limit: float) -> Verdict:
    """FAIL if lower > limit, PASS if upper <= limit, else INCONCLUSIVE.

    Bounds that contradict each other (lower > upper, an event of probability at most delta) and
    straddle the limit fail: the gate errs on the safe side.

    Raises:
        ValueError: a bound or the limit is NaN.
    """
    require(ANY_NUMBER, lower=lower, upper=upper, limit=limit)
    if lower > limit:
        return Verdict.FAIL
    return Verdict.PASS if upper <= limit else Verdict.INCONCLUSIVE


def first_decision(bounds: Bounds, limit: float) -> Decision:
    """The verdict at the first episode after which there is one."""
    decided = np.flatnonzero((bounds.lower > limit) | (bounds.upper <= limit))
    if decided.size == 0:
        return Decision(Verdict.INCONCLUSIVE, len(bounds.lower))
    i = int(decided[0])
    return Decision(decide(float(bounds.lower[i]), float(bounds.upper[i]), limit), i + 1)


def worst_of(bounds: Sequence[Bounds]) -> Bounds:
    """Bounds of the largest of several quantities, round by round.

    A quantity with fewer episodes than the others keeps its last bounds. What this costs in
    error probability is in `allocation`: lower bounds share a delta, upper bounds need not.

    Raises:
        ValueError: no bounds.
    """
    if not bounds:
        raise ValueError("bounds must be of at least one quantity")
    n = max(len(b.lower) for b in bounds)
    rounds = [np.minimum(np.arange(n), len(b.lower) - 1) for b in bounds]
    both = [(b.lower[i], b.upper[i]) for b, i in zip(bounds, rounds, strict=True)]
    return Bounds(*np.max(both, axis=0))
