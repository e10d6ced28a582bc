"""Quantiles and CVaR: laws, exact cases, and coverage at the worst of several looks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.calibration.rates import tolerated
from benchmarks.calibration.tails import (
    cvar_ever_missed,
    quantile_ever_missed,
)
from safer_gym.conformance.statistics import (
    cvar_upper,
    dkw_cvar_upper,
    dkw_quantile_upper,
    quantile_upper,
    rate_sequence,
)
from safer_gym.conformance.statistics.tail_bounds import cvar_log_wealth

HIGH = 20.0
POINTS = np.array([0.0, 1.0, 4.0, 20.0])
WEIGHTS = np.array([0.7, 0.2, 0.08, 0.02])
LOOKS = (40, 80, 160)
BOUNDS = [quantile_upper, cvar_upper, dkw_quantile_upper, dkw_cvar_upper]


def true_cvar(level: float) -> float:
    edges = np.maximum(np.append(0.0, np.cumsum(WEIGHTS)), level)
    return float(np.diff(edges) @ POINTS / (1 - level))


def true_quantile(level: float) -> float:
    return float(POINTS[np.searchsorted(np.cumsum(WEIGHTS), level)])


def samples(gates: int, n: int) -> np.ndarray:
    return np.random.default_rng(3).choice(POINTS, p=WEIGHTS, size=(gates, n))


@pytest.mark.parametrize("level", [0.6, 0.75, 0.95])
def test_coverage_at_the_worst_of_three_looks(level: float) -> None:
    delta, gates = 0.1, 300
    cvar, quantile = true_cvar(level), true_quantile(level)
    below, short = 0, 0
    for x in samples(gates, LOOKS[-1]):
        looks = [x[:n] for n in LOOKS]
        below += any(quantile_upper(s, level, delta, HIGH) < quantile for s in looks)
        against = [cvar_log_wealth(s / HIGH, level, cvar / HIGH) for s in looks]
        short += max(against) >= -np.log(delta)
    assert max(below, short) <= tolerated(gates, delta)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([0.6, 0.9]), st.floats(0.01, 0.99))
def test_a_cvar_is_below_its_bound_exactly_where_the_wealth_says_so(
    seed: int, level: float, v: float
) -> None:
    x = np.random.default_rng(seed).choice(POINTS, p=WEIGHTS, size=100) / HIGH
    bound = cvar_upper(x, level, 0.05, 1.0)
    refuted = cvar_log_wealth(x, level, v) >= -np.log(0.05)
    assert refuted == (v >= bound) or abs(v - bound) < 1e-6


def test_coverage_of_the_band_at_one_size_and_the_check_rejects_a_plain_estimate() -> None:
    level, delta, gates = 0.75, 0.05, 1000
    truth = true_cvar(level)
    banded, plain = 0, 0
    for x in samples(gates, 60):
        banded += dkw_cvar_upper(x, level, delta, HIGH) < truth
        plain += np.sort(x)[int(level * len(x)) :].mean() < truth
    assert banded <= tolerated(gates, delta) < plain


@settings(max_examples=15)
@given(
    st.lists(st.floats(0, HIGH), min_size=1, max_size=60),
    st.sampled_from([0.5, 0.8, 0.9]),
    st.sampled_from([0.3, 0.05]),
)
def test_laws_of_every_bound(values: list[float], level: float, delta: float) -> None:
    x = np.array(values)
    for bound in BOUNDS:
        value = bound(x, level, delta, HIGH)
        assert 0 <= value <= HIGH
        assert bound(x[::-1], level, delta, HIGH) == pytest.approx(value, rel=1e-6)
        assert bound(3 * x, level, delta, 3 * HIGH) == pytest.approx(3 * value, rel=1e-5, abs=1e-9)
        more = bound(np.minimum(x + 1, HIGH), level, delta, HIGH)
        assert more >= value - 1e-5
        assert bound(x, level, delta / 2, HIGH) >= value - 1e-5
        assert bound(x, min(level + 0.05, 0.95), delta, HIGH) >= value - 1e-5
    assert cvar_upper(x, level, delta, HIGH) >= np.sort(x)[int(level * len(x)) :].mean() - 1e-6
    assert dkw_cvar_upper(x, level, delta, HIGH) >= dkw_quantile_upper(x, level, delta, HIGH) - 1e-9


@given(st.integers(1, 200), st.sampled_from([0.8, 0.95]), st.sampled_from([0.2, 0.05]))
def test_a_quantile_is_the_rate_of_what_lies_above_it(n: int, level: float, delta: float) -> None:
    """All below 3 but one: q is 3 at most exactly when the rate of being above says so."""
    x = np.arange(n) * 1e-3
    bound = quantile_upper(x, level, delta, HIGH)
    above = (x > bound).astype(int) if bound < HIGH else np.zeros(n, dtype=int)
    clean = rate_sequence(np.sort(above), delta).upper[-1]
    if bound == HIGH:
        assert rate_sequence(np.zeros(n), delta).upper[-1] >= 1 - level
    else:
        assert clean <= 1 - level + 1e-9 or above.sum() == 0


def test_by_hand() -> None:
    """Four values: the band at delta = 1/2 is 0.2944."""
    x = [1.0, 2.0, 3.0, 4.0]
    assert dkw_quantile_upper(x, 0.25, 0.5, 10.0) == 3.0
    assert dkw_quantile_upper(x, 0.75, 0.5, 10.0) == 10.0
    band = np.sqrt(np.log(2) / 8)
    worst = 10 * band + 4 * (0.5 - band)
    assert dkw_cvar_upper(x, 0.5, 0.5, 10.0) == pytest.approx(worst / 0.5)


def test_far_narrower_than_the_band_where_cost_is_rare() -> None:
    x = np.zeros(250)
    assert cvar_upper(x, 0.9, 0.05, 200.0) < 0.25 * dkw_cvar_upper(x, 0.9, 0.05, 200.0)
    assert quantile_upper(np.zeros(74), 0.95, 0.05, 200.0) == 0.0
    assert quantile_upper(np.zeros(73), 0.95, 0.05, 200.0) == 200.0


@pytest.mark.parametrize("bound", BOUNDS)
def test_bad_arguments_are_named(bound) -> None:
    with pytest.raises(ValueError, match="level"):
        bound([1.0], 1.0, 0.05, HIGH)
    with pytest.raises(ValueError, match="delta"):
        bound([1.0], 0.5, 1.05, HIGH)
    with pytest.raises(ValueError, match="high"):
        bound([30.0], 0.5, 0.05, HIGH)


def test_the_band_has_no_constant_for_large_delta() -> None:
    with pytest.raises(ValueError, match="1/2"):
        dkw_quantile_upper([1.0], 0.5, 0.7, HIGH)


def test_simulated_tails_are_the_bounds_own() -> None:
    """Misses counted by wealth are those of the bounds themselves, after every episode."""
    costs, level, delta = samples(30, 30), 0.75, 0.6
    quantile, cvar = true_quantile(level), true_cvar(level)
    looks = range(1, costs.shape[1] + 1)
    found = quantile_ever_missed(costs, quantile, level, delta)
    for row, by_wealth in zip(costs, found, strict=True):
        own = any(quantile_upper(row[:n], level, delta, HIGH) < quantile for n in looks)
        assert own == by_wealth
    assert found.any()
    found = cvar_ever_missed(costs / HIGH, cvar / HIGH, level, delta)
    for row, by_wealth in zip(costs, found, strict=True):
        # The bound is bisected from above, to a part in 10^7 of the range.
        assert any(cvar_upper(row[:n], level, delta, HIGH) < cvar for n in looks) <= by_wealth


@pytest.mark.parametrize("ever_missed", [quantile_ever_missed, cvar_ever_missed])
def test_tails_keep_their_promise_however_often_one_looks(ever_missed: Callable) -> None:
    gates, level, delta = 400, 0.75, 0.05
    truth = true_quantile(level) if ever_missed is quantile_ever_missed else true_cvar(level)
    costs = samples(gates, 100) / HIGH
    missed = int(ever_missed(costs, truth / HIGH, level, delta).sum())
    assert missed <= tolerated(gates, delta)
    # A truth that is larger than the law's is refuted, so that the count cannot stay small.
    assert ever_missed(costs, 1.0, level, delta).sum() > tolerated(gates, delta)
