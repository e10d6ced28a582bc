"""Verdicts follow from bounds alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.conformance.statistics import (
    Bounds,
    Verdict,
    decide,
    first_decision,
    rate_sequence,
    worst_of,
)

UNIT = st.floats(0, 1)


@given(UNIT, UNIT, UNIT)
def test_a_verdict_needs_its_whole_interval_on_one_side(a: float, b: float, limit: float) -> None:
    lower, upper = sorted((a, b))
    expected = Verdict.INCONCLUSIVE
    if upper <= limit:
        expected = Verdict.PASS
    elif lower > limit:
        expected = Verdict.FAIL
    assert decide(lower, upper, limit) is expected


def test_contradicting_bounds_fail() -> None:
    assert decide(0.6, 0.4, 0.5) is Verdict.FAIL


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_the_first_decision_is_the_first(hits: list[bool], limit: float) -> None:
    bounds = rate_sequence(hits, 0.1)
    verdict, n = first_decision(bounds, limit)
    verdicts = [decide(low, high, limit) for low, high in zip(*bounds, strict=True)]
    assert verdicts[n - 1] is verdict
    assert all(v is Verdict.INCONCLUSIVE for v in verdicts[: n - 1])


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=30), min_size=1, max_size=4))
def test_the_worst_of_several_is_round_by_round_the_largest(attacks: list[list[bool]]) -> None:
    bounds = [rate_sequence(hits, 0.1) for hits in attacks]
    worst = worst_of(bounds)
    for i in range(max(map(len, attacks))):
        assert worst.lower[i] == max(b.lower[min(i, len(b.lower) - 1)] for b in bounds)
        assert worst.upper[i] == max(b.upper[min(i, len(b.upper) - 1)] for b in bounds)


def test_nothing_to_decide_is_refused() -> None:
    with pytest.raises(ValueError, match="upper"):
        decide(0.0, float("nan"), 0.5)
    with pytest.raises(ValueError, match="bounds"):
        worst_of([])
    empty = first_decision(Bounds(np.zeros(3), np.ones(3)), 0.5)
    assert empty == (Verdict.INCONCLUSIVE, 3)
