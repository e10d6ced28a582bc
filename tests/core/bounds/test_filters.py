"""Filters: attained where they can be, ordered, monotone, right at the ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from safer_gym.bounds import (
    ORDERS,
    gaussian_filter,
    moment_mean,
    renyi_filter,
)

PROBABILITIES = st.floats(1e-12, 1 - 1e-9)
SHIFTS = st.floats(0, 4)
A = np.array(ORDERS)


@given(PROBABILITIES, SHIFTS)
def test_the_gaussian_filter_is_attained_by_half_lines(p: float, M: float) -> None:
    threshold = norm.isf(p)
    attacked = norm.sf(threshold - M)  # P(Z + M > threshold)
    assert gaussian_filter(p, M) == pytest.approx(attacked, rel=1e-6, abs=1e-14)


def test_kumar_is_tight_for_a_linear_policy() -> None:
    """C16: noise of deviation 0.7 on each of 3 observations, total l2 budget 0.9."""
    weights, sigma, budget = np.array([1.0, -2.0, 0.5]), 0.7, 0.9
    length = float(np.linalg.norm(weights))
    threshold = 1.3 * sigma * length
    p = norm.sf(threshold, scale=sigma * length)
    attacked = norm.sf(threshold - budget * length, scale=sigma * length)
    assert gaussian_filter(p, budget / sigma) == pytest.approx(attacked, rel=1e-9)
    steps = 3
    for wrong in (budget / sigma**2, budget * math.sqrt(steps) / sigma, budget):
        assert gaussian_filter(p, wrong) != pytest.approx(attacked, rel=1e-3)


@given(PROBABILITIES, SHIFTS, SHIFTS)
def test_gaussian_filters_compose(p: float, first: float, second: float) -> None:
    twice = gaussian_filter(gaussian_filter(p, first), second)
    assert twice == pytest.approx(gaussian_filter(p, first + second), rel=1e-5, abs=1e-13)
    assert gaussian_filter(p, math.hypot(first, second)) <= twice + 1e-12


@given(PROBABILITIES, SHIFTS)
def test_order_of_the_filters(p: float, M: float) -> None:
    rho = A * M * M / 2  # of the Gaussian with this shift
    hoelder = np.exp(np.minimum((A - 1) / A * (rho + math.log(p)), 0)).min()
    found = renyi_filter(p, rho)
    assert p <= gaussian_filter(p, M) * (1 + 1e-9)
    assert gaussian_filter(p, M) <= found * (1 + 1e-9)
    assert found <= max(hoelder, p) * (1 + 1e-9)


def test_the_renyi_filter_is_near_the_gaussian_one() -> None:
    p = np.array([1e-4, 1e-3, 1e-2, 0.05])
    for M, factor in ((0.05, 1.05), (0.2, 1.15), (0.5, 1.3), (1.0, 1.45)):
        assert (renyi_filter(p, A * M * M / 2) <= factor * gaussian_filter(p, M)).all()


@given(st.floats(1e-6, 0.9), st.floats(0.01, 0.99), st.sampled_from(ORDERS))
def test_one_order_is_attained_by_two_points(p: float, share: float, alpha: float) -> None:
    q = p + share * (1 - p)
    logs = np.array([[q, p], [1 - q, 1 - p]])
    terms = alpha * np.log(logs[:, 0]) + (1 - alpha) * np.log(logs[:, 1])
    rho = np.logaddexp(*terms) / (alpha - 1)
    assert renyi_filter(p, [rho], [alpha]) == pytest.approx(q, rel=1e-5)


@given(PROBABILITIES, PROBABILITIES, SHIFTS, SHIFTS)
def test_filters_are_monotone(p: float, q: float, M: float, N: float) -> None:
    (p, q), (M, N) = sorted((p, q)), sorted((M, N))
    assert gaussian_filter(p, M) <= gaussian_filter(q, N) * (1 + 1e-9)
    assert renyi_filter(p, A * M) <= renyi_filter(q, A * N) * (1 + 1e-6)


def test_ends() -> None:
    inf = np.full(len(ORDERS), np.inf)
    for p in (0.0, 0.3, 1.0):
        assert gaussian_filter(p, 0.0) == pytest.approx(p)
        assert renyi_filter(p, 0 * A) == pytest.approx(p, abs=1e-4)
        assert gaussian_filter(p, np.inf) == renyi_filter(p, inf) == 1.0
    assert gaussian_filter(0.0, 3.0) == renyi_filter(0.0, A) == 0.0
    assert gaussian_filter(1.0, 3.0) == renyi_filter(1.0, A) == 1.0
    one_left = inf.copy()
    one_left[5] = 0.1
    assert 0.01 < renyi_filter(0.01, one_left) < 0.2


def test_arrays_broadcast_and_numbers_stay_numbers() -> None:
    assert isinstance(gaussian_filter(0.1, 1.0), float)
    assert isinstance(renyi_filter(0.1, A), float)
    p, M = np.array([[0.1], [0.2]]), np.array([0.5, 1.0, 2.0])
    assert gaussian_filter(p, M).shape == (2, 3)
    rho = M[:, None] ** 2 * A / 2
    many = renyi_filter(p, rho)
    assert many.shape == (2, 3)
    assert many[1, 2] == pytest.approx(renyi_filter(0.2, rho[2]))


@given(st.integers(0, 1000), st.floats(0, 2))
def test_means_hold_for_discrete_costs_that_gaussians_decide(seed: int, M: float) -> None:
    """A cost that rises with a Gaussian; the best attack moves the Gaussian by M."""
    rng = np.random.default_rng(seed)
    high = 20.0
    values = np.sort(rng.uniform(0, high, 5))
    tails = np.sort(rng.uniform(0.001, 0.5, 5))[::-1]  # P(C > values[i] - 0) of each jump
    jumps = np.diff(values, prepend=0.0)
    benign, attacked = (jumps * tails).sum(), (jumps * gaussian_filter(tails, M)).sum()
    rho = A * M * M / 2
    assert attacked <= high * gaussian_filter(benign / high, M) * (1 + 1e-9)
    assert attacked <= high * renyi_filter(benign / high, rho) * (1 + 1e-9)
    probabilities = tails - np.append(tails[1:], 0.0)
    moments = np.array([(probabilities * values ** (a / (a - 1))).sum() for a in ORDERS])
    assert attacked <= moment_mean(moments, rho) * (1 + 1e-9)


# --- tests of the tests: wrong filters fall below what an attack reaches ---


@pytest.mark.parametrize(
    "wrong",
    [
        lambda p, m, n: gaussian_filter(p, m),  # forgets that steps add up
        lambda p, m, n: gaussian_filter(p, math.sqrt(n) * m**2),  # M^2 for M
        lambda p, m, n: float(ndtr(ndtri(p) - math.sqrt(n) * m)),  # the wrong sign
        lambda p, m, n: renyi_filter(p, A * n * m * m / 4),  # half of the divergence
    ],
)
def test_wrong_filters_are_found(wrong) -> None:
    p, m, n = 0.02, 0.3, 16
    # n draws, each moved by m; the event is that their sum is large.
    reached = norm.sf(norm.isf(p) - math.sqrt(n) * m)
    assert reached <= gaussian_filter(p, math.sqrt(n) * m) * (1 + 1e-9)
    assert reached <= renyi_filter(p, A * n * m * m / 2)
    assert wrong(p, m, n) < reached


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: gaussian_filter(1.1, 1.0), "p must be a number in"),
        (lambda: gaussian_filter(np.nan, 1.0), "p must be a number in"),
        (lambda: gaussian_filter(0.1, -1.0), "M must be a number >= 0"),
        (lambda: gaussian_filter(0.1, np.nan), "M must be a number >= 0"),
        (lambda: renyi_filter(0.1, [0.1], [1.0]), "alphas"),
        (lambda: renyi_filter(0.1, [-0.1], [2.0]), "rho must be a number >= 0"),
        (lambda: moment_mean([-1.0], [0.1], [2.0]), "moments"),
    ],
)
def test_bad_input_is_named(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
