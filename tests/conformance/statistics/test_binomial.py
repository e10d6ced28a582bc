"""Clopper-Pearson against scipy's own test and against closed forms (C18)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from safer_gym.conformance.statistics import binomial_lower, binomial_upper

DELTAS = st.floats(1e-6, 0.5)


@given(st.integers(1, 400), st.floats(0, 1), DELTAS)
def test_two_sides_are_scipys_exact_interval(n: int, share: float, delta: float) -> None:
    k = round(share * n)
    interval = stats.binomtest(k, n).proportion_ci(1 - 2 * delta, method="exact")
    lower, upper = binomial_lower(k, n, delta), binomial_upper(k, n, delta)
    assert lower == pytest.approx(interval.low, abs=1e-10)
    assert upper == pytest.approx(interval.high, abs=1e-10)
    # scipy searches for its ends; ours are where the tails are delta.
    assert k == 0 or stats.binom.sf(k - 1, n, lower) == pytest.approx(delta, rel=1e-6)
    assert k == n or stats.binom.cdf(k, n, upper) == pytest.approx(delta, rel=1e-6)


@given(st.integers(1, 10_000), DELTAS)
def test_no_hits_and_nothing_but_hits(n: int, delta: float) -> None:
    assert binomial_lower(0, n, delta) == 0.0
    assert binomial_upper(n, n, delta) == 1.0
    assert binomial_upper(0, n, delta) == pytest.approx(1 - delta ** (1 / n), rel=1e-9)
    assert binomial_lower(n, n, delta) == pytest.approx(delta ** (1 / n), rel=1e-9)


def test_the_episodes_that_everybody_quotes() -> None:
    assert binomial_upper(0, 59, 0.05) <= 0.05 < binomial_upper(0, 58, 0.05)
    assert binomial_upper(0, 299, 0.05) <= 0.01 < binomial_upper(0, 298, 0.05)


@pytest.mark.parametrize(("k", "n", "delta"), [(1, 0, 0.1), (-1, 5, 0.1), (6, 5, 0.1), (1, 5, 0)])
def test_bad_arguments_are_named(k: int, n: int, delta: float) -> None:
    for bound in (binomial_lower, binomial_upper):
        with pytest.raises(ValueError, match="must be"):
            bound(k, n, delta)
