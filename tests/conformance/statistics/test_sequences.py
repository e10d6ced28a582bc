"""Confidence sequences: exact error by enumeration, and laws that need no simulation (C17)."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safer_gym.conformance.statistics import Bounds, mean_sequence, rate_sequence
from safer_gym.conformance.statistics.betting import (
    bold_shares,
    even_shares,
    log_wealth,
    log_wealth_of_counts,
)
from safer_gym.conformance.statistics.sequences import rate_bounds

DELTAS = st.sampled_from([0.3, 0.05, 0.01, 1e-4])
UNIT = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def exact_misses(p: float, delta: float, n: int, bounds=rate_bounds) -> tuple[float, float]:
    """Probability that the lower, and the upper, bound is ever wrong in n Bernoulli(p) episodes."""
    k, m = np.meshgrid(np.arange(n + 1), np.arange(1, n + 1))
    inside = k <= m
    wrong = np.zeros((2, n, n + 1), dtype=bool)
    found = bounds(k[inside], m[inside], delta)
    wrong[:, inside] = np.stack([found.lower > p, found.upper < p])
    return tuple(_absorbed(p, side) for side in wrong)  # type: ignore[return-value]


def _absorbed(p: float, wrong: np.ndarray) -> float:
    alive, dead = np.zeros(wrong.shape[1]), 0.0
    alive[0] = 1.0
    for row in wrong:
        alive = (1 - p) * alive + p * np.append(0.0, alive[:-1])
        dead += alive[row].sum()
        alive[row] = 0.0
    return float(dead)


@pytest.mark.parametrize("p", [0.002, 0.02, 0.05, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("delta", [0.05, 0.2])
def test_the_exact_probability_of_ever_being_wrong(p: float, delta: float) -> None:
    for side in exact_misses(p, delta, 250):
        assert side <= delta


def test_the_exact_probability_comes_near_what_is_promised() -> None:
    """A bound without power would pass the test above."""
    lower, upper = exact_misses(0.05, 0.05, 300)
    assert min(lower, upper) > 0.2 * 0.05


@pytest.mark.parametrize(
    "mutant",
    [
        lambda k, n, delta: rate_bounds(k, n, 3 * delta),
        lambda k, n, delta: Bounds(k / n - 1.28 * (k / n * (1 - k / n) / n) ** 0.5, k / n + 0.2),
    ],
    ids=["a delta too large", "normal approximation"],
)
def test_the_exact_check_rejects_a_bound_that_promises_too_much(mutant) -> None:
    assert max(exact_misses(0.05, 0.05, 250, mutant)) > 0.05


@settings(max_examples=15)
@given(st.integers(0, 10_000), DELTAS)
def test_any_law_on_three_values_by_its_whole_tree(seed: int, delta: float) -> None:
    """All 3^6 paths of six episodes: the exact probability of ever being wrong."""
    rng = np.random.default_rng(seed)
    points = np.append(rng.random(2) ** 3, rng.integers(0, 2))
    weights = rng.dirichlet([0.5, 0.5, 0.5])
    mean = float(points @ weights)
    paths = np.array(list(itertools.product(range(3), repeat=6)))
    chance = weights[paths].prod(axis=1)
    for z, m, shares in (
        (points[paths], mean, even_shares()),
        (1 - points[paths], 1 - mean, bold_shares()),
    ):
        if m > 1e-9:
            wealth = log_wealth(z, m, shares)
            assert chance @ np.exp(wealth[:, -1]) == pytest.approx(1.0)
            assert chance[(wealth >= -np.log(delta)).any(axis=1)].sum() <= delta


@settings(max_examples=40)
@given(UNIT, DELTAS)
def test_a_bound_is_where_the_wealth_reaches_its_target(values: list[float], delta: float) -> None:
    """Every mean beyond the bound has been refuted by then, and none within it."""
    x = np.array(values)
    lower, upper = mean_sequence(x, 1.0, delta)
    target = -np.log(delta)
    for z, bound, shares in ((x, lower[-1], even_shares()), (1 - x, 1 - upper[-1], bold_shares())):
        if bound > 0:
            assert log_wealth(z, bound, shares).max() >= target - 1e-6
        inside = min(1.0, bound * 1.01 + 1e-3)
        assert log_wealth(z, inside, shares).max() < target + 0.02


@given(st.integers(1, 60), st.floats(0.01, 0.99), st.integers(0, 1000))
def test_counts_say_as_much_as_their_episodes(n: int, mean: float, seed: int) -> None:
    hits = np.random.default_rng(seed).random(n) < 0.3
    k, rounds = np.cumsum(hits), np.arange(1, n + 1)
    counted = log_wealth_of_counts(k, rounds, mean, even_shares())
    np.testing.assert_allclose(counted, log_wealth(hits * 1.0, mean, even_shares()), atol=1e-9)


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=1, max_size=80), DELTAS)
def test_a_rate_is_the_mean_of_zeros_and_ones(hits: list[bool], delta: float) -> None:
    rate, mean = rate_sequence(hits, delta), mean_sequence(np.array(hits) * 7.0, 7.0, delta)
    less = rate_sequence(hits, delta * np.exp(-0.0101))
    for side, sign in (("lower", 1), ("upper", -1)):
        tight, loose, got = (sign * getattr(b, side) for b in (rate, less, mean))
        got = got / 7.0
        assert (got <= tight + 1e-6).all()
        assert (got >= loose - 1e-6).all()


@settings(max_examples=30)
@given(UNIT, st.floats(0, 1), DELTAS)
def test_more_cost_raises_both_bounds(values: list[float], more: float, delta: float) -> None:
    x = np.array(values)
    low, high = mean_sequence(x, 1.0, delta), mean_sequence(x + more * (1 - x), 1.0, delta)
    assert (high.lower >= low.lower * 0.98 - 1e-9).all()
    assert (1 - high.upper <= (1 - low.upper) * 1.02 + 1e-9).all()


@settings(max_examples=30)
@given(UNIT, st.floats(0.01, 1e4), DELTAS)
def test_units_do_not_matter_and_bounds_never_move_outwards(
    values: list[float], unit: float, delta: float
) -> None:
    x = np.array(values)
    plain, scaled = (
        mean_sequence(x, 1.0, delta),
        mean_sequence(np.minimum(x * unit, unit), unit, delta),
    )
    np.testing.assert_allclose(scaled.lower, unit * plain.lower, rtol=1e-3, atol=1e-9 * unit)
    np.testing.assert_allclose(scaled.upper, unit * plain.upper, rtol=1e-3, atol=1e-9 * unit)
    for b in (plain, rate_sequence(x > 0.5, delta)):
        assert (np.diff(b.lower) >= 0).all()
        assert (np.diff(b.upper) <= 0).all()
        assert (b.lower >= 0).all()
        assert (b.upper <= 1).all()


@settings(max_examples=30)
@given(UNIT, st.integers(1, 40))
def test_the_bounds_of_a_prefix_are_a_prefix_of_the_bounds(values: list[float], n: int) -> None:
    whole, part = mean_sequence(values, 1.0, 0.05), mean_sequence(values[:n], 1.0, 0.05)
    np.testing.assert_array_equal(whole.lower[:n], part.lower)
    np.testing.assert_array_equal(whole.upper[:n], part.upper)


def test_each_side_can_have_its_own_delta() -> None:
    x = np.arange(20) % 3 / 2
    for both in (rate_sequence, lambda v, *d: mean_sequence(v, 1.0, *d)):
        values = x == 1 if both is rate_sequence else x
        mixed = both(values, 0.01, 0.1)
        np.testing.assert_array_equal(mixed.lower, both(values, 0.01).lower)
        np.testing.assert_array_equal(mixed.upper, both(values, 0.1).upper)


def test_never_far_from_the_fixed_size_minimum_without_any_hit() -> None:
    """59 and 299 clean episodes are the least that can show 5 % and 1 % at 95 %."""
    upper = rate_sequence(np.zeros(400), 0.05).upper
    assert np.argmax(upper <= 0.05) + 1 == 74
    assert np.argmax(upper <= 0.01) + 1 == 377


def test_narrower_than_the_hedged_capital_bounds_of_a_known_package() -> None:
    """Two-sided 90 % bounds of confseq 0.0.11, `betting_cs`, after 30, 100 and 250 values."""
    rng = np.random.default_rng(7)
    sparse = np.where(rng.random(250) < 0.1, rng.gamma(2, 7.5, 250), 0).clip(0, 300) / 300
    dense, tight = rng.beta(1, 9, 250), rng.beta(10, 30, 250)
    known = [
        (sparse, [0.0, 0.0, 0.0], [0.17825, 0.06225, 0.02875]),
        (dense, [0.06, 0.0745, 0.089], [0.2725, 0.152, 0.1285]),
        (tight, [0.204, 0.2265, 0.23625], [0.384, 0.293, 0.26825]),
    ]
    for values, lower, upper in known:
        ours = mean_sequence(values, 1.0, 0.05)
        at = [29, 99, 249]
        assert (ours.lower[at] >= lower).all()
        assert (ours.upper[at] <= upper).all()
        assert ours.lower[-1] < values.mean() < ours.upper[-1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rate_sequence([], 0.05), "at least one"),
        (lambda: rate_sequence([0, 2], 0.05), "bools"),
        (lambda: rate_sequence([True], 0.0), "delta"),
        (lambda: mean_sequence([1.0, 3.0], 2.0, 0.05), "high=2.0"),
        (lambda: mean_sequence([-1.0], 2.0, 0.05), "high=2.0"),
        (lambda: mean_sequence([np.nan], 2.0, 0.05), "nan"),
        (lambda: mean_sequence([[1.0]], 2.0, 0.05), "vector"),
        (lambda: mean_sequence([1.0], np.inf, 0.05), "high must"),
        (lambda: mean_sequence([1.0], 2.0, 0.05, 1.5), "delta"),
    ],
)
def test_bad_arguments_are_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
