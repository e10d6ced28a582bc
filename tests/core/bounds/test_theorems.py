"""The paper's theorems as printed, and what holds beside them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.bounds import (
    additive_bound,
    coupling_bound,
    direct_bound,
    literal_theorem_1,
    literal_theorem_2,
    paper_theorem_1,
    paper_theorem_2,
    value_cap,
)

GAMMAS = st.sampled_from([0.0, 0.3, 0.7, 0.9, 0.99])
TVS = st.floats(0, 1)
BALL = {"gamma": 0.995, "cost_max": 1.0}
"""Ball-Circle in the paper: kappa 3.165 for a limit of 5 in 200 steps."""
KAPPA = 5 * (1 - 0.995**200) / (200 * 0.005)


@pytest.mark.parametrize(
    ("tv", "printed", "literal", "direct", "coupling"),
    [
        (math.sqrt(0.025), 810_600, 808_700, 6328, 198.0),
        (0.01, 51_270, 51_150, 403, 136.9),
        (0.001, 5130, 5118, 43.2, 36.5),
        (1e-4, 516, 515, 7.17, 7.09),
    ],
)
def test_figures_at_the_papers_own_settings(
    tv: float, printed: float, literal: float, direct: float, coupling: float
) -> None:
    assert paper_theorem_2(KAPPA, tv, 0.05, **BALL) == pytest.approx(printed, rel=1e-3)
    assert literal_theorem_2(KAPPA, tv, 0.05, **BALL) == pytest.approx(literal, rel=1e-3)
    assert direct_bound(KAPPA, tv, **BALL) == pytest.approx(direct, rel=1e-2)
    assert coupling_bound(KAPPA, tv, **BALL) == pytest.approx(coupling, rel=1e-3)
    assert (direct_bound(KAPPA, tv, **BALL) >= value_cap(**BALL)) is (tv >= 0.0049)


@given(TVS, GAMMAS, st.floats(0, 1), st.floats(0, 5))
def test_the_coupling_bound_is_attained(
    tv: float, gamma: float, hazard: float, cost_max: float
) -> None:
    """A good state that keeps to itself, and a bad one for ever, where each step may cost.

    The benign policy stays; the attacked one leaves with probability tv. It pays on arrival.
    """
    cap = hazard * cost_max / (1 - gamma)
    good = tv * cap / (1 - gamma * (1 - tv))
    bound = coupling_bound(0.0, tv, gamma=gamma, cost_max=cost_max, unsafe_probability=hazard)
    assert bound == pytest.approx(good, rel=1e-9, abs=1e-12)


@given(st.floats(0, 10), TVS, TVS, GAMMAS, st.floats(0, 1), st.floats(0, 1))
def test_order_of_the_forms(
    kappa: float, d: float, le: float, gamma: float, hazard: float, xi: float
) -> None:
    """(B) <= (A) <= half of what is printed, whatever xi: the printed forms have no power."""
    rest = {"gamma": gamma, "cost_max": 1.0, "unsafe_probability": hazard}
    tv = min(d + le, 1.0)
    good = coupling_bound(kappa, tv, **rest)
    direct = direct_bound(kappa, tv, **rest)
    assert good <= direct * (1 + 1e-12)
    assert good <= kappa + value_cap(**rest) * (1 + 1e-12)
    for paper, literal in (
        (
            paper_theorem_1(kappa, d, le, 1.0, xi, **rest),
            literal_theorem_1(kappa, d, le, 1.0, xi, **rest),
        ),
        (paper_theorem_2(kappa, tv, xi, **rest), literal_theorem_2(kappa, tv, xi, **rest)),
    ):
        assert literal <= paper * (1 + 1e-12)
        assert 2 * (direct - kappa) <= (literal - kappa) * (1 + 1e-9) + 1e-12


def test_forms_take_arrays() -> None:
    tv = np.linspace(0, 1, 5)
    for form in (coupling_bound, direct_bound):
        found = form(1.0, tv, **BALL)
        assert found.shape == (5,)
        assert found[0] == 1.0
    assert paper_theorem_1(1.0, tv, 0.5, 0.1, 0.05, **BALL).shape == (5,)


def test_additive_bounds() -> None:
    assert additive_bound(0.1, 0.05) == pytest.approx(0.15)
    assert additive_bound(0.6, 0.7) == 1.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: coupling_bound(0.0, 1.1, **BALL), "tv must be a number in"),
        (lambda: coupling_bound(-1.0, 0.1, **BALL), "kappa"),
        (lambda: coupling_bound(0.0, 0.1, gamma=1.0, cost_max=1.0), "gamma"),
        (lambda: coupling_bound(0.0, 0.1, gamma=0.9, cost_max=-1.0), "cost_max"),
        (lambda: additive_bound(-0.1, 0.1), "p must be"),
    ],
)
def test_bad_input_is_named(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
