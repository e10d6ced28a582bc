"""From bounds to a verdict: PASS and FAIL only when the bound says so, else INCONCLUSIVE."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np

from safer_gym.conformance.statistics.bounds import Bounds


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
    for name, value in (("lower", lower), ("upper", upper), ("limit", limit)):
        if np.isnan(value):
            raise ValueError(f"{name} must be a number, got {value!r}")
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
