"""From benign episodes to every adversary: values, budgets, the choice among compositions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from certify_toys import homing
from hypothesis import given, settings
from hypothesis import strategies as st

from safer_gym.balls import LpBall
from safer_gym.bounds import ORDERS
from safer_gym.conformance.certify.compositions import (
    COMPOSITIONS,
    Additive,
    Composition,
    Coupling,
    Gaussian,
    GaussianMoment,
    Renyi,
    RenyiMoment,
    compositions,
    make_composition,
    promise,
    register,
)
from safer_gym.conformance.certify.divergence import (
    HAZARD,
    TV,
    TV_LEFT,
    spent_budgets,
)
from safer_gym.wrappers.policies.smoothing import SmoothedPolicy

RATES = (
    Gaussian("rate", 0, 1.0),
    Renyi("rate", 0, 1.0, 2.0),
    Coupling("rate", 0, 1.0),
    Additive("rate", 0, 1.0),
)
MEANS = (
    *(dataclasses.replace(c, metric="mean") for c in RATES),
    GaussianMoment("mean", 0, 1.0, 2.0),
    RenyiMoment("mean", 0, 1.0, 2.0),
)


def column(*spent: float) -> np.ndarray:
    return np.array(spent)[:, None]


@pytest.mark.parametrize("chosen", RATES + MEANS)
def test_what_is_not_surely_within_the_budget_counts_in_full(chosen: Composition) -> None:
    spent = column(0.5, 1.0, 1.0 + 1e-9, np.inf, np.nan)
    assert chosen.overruns(spent).tolist() == [False, False, True, True, True]
    values = chosen.values(np.zeros(5), spent)
    assert (values[2:] == chosen.top).all()
    assert (values[:2] < chosen.top).all()


@pytest.mark.parametrize("chosen", RATES + MEANS)
@given(share=st.floats(0, 1), more=st.floats(0, 1))
def test_bounds_are_no_less_than_the_benign_share_and_rise(
    chosen: Composition, share: float, more: float
) -> None:
    spent = column(0.25)
    low, high = sorted((share, more))
    small, large = (
        chosen.bound(float(chosen.values(np.array([x]), spent)[0])) for x in (low, high)
    )
    assert low - 1e-9 <= small <= large + 1e-12
    assert large <= 1.0


def test_the_additive_value_is_what_was_spent_and_the_coupling_adds_the_parting() -> None:
    coupling, additive = RATES[2:]
    spent = column(0.3, 0.2)
    assert additive.values(np.array([0.0, 1.0]), spent).tolist() == [0.3, 1.2]
    assert coupling.values(np.array([0.0, 1.0]), spent).tolist() == [0.0, 1.0]
    assert coupling.bound(0.1) == pytest.approx(0.1 + 1 - np.exp(-1))
    assert additive.bound(0.4) == 0.4
    assert additive.bound(1.7) == 1.0


@settings(max_examples=15)
@given(st.floats(0.01, 3.0), st.floats(1e-6, 0.5))
def test_the_best_promise_is_that_of_the_gaussian_filter(shift: float, p: float) -> None:
    """Constant shifts of a Gaussian: the filter is sharp, and nothing promises less."""
    tv = 2 * 0.3 * shift
    end = [tv, tv, tv]
    renyi = np.array([*(np.array(ORDERS) * shift**2 / 2), *end]) * np.ones((8, 1))
    gaussian = np.array([shift**2, *end]) * np.ones((8, 1))
    none = np.zeros(8)
    told = {
        c.method: promise(c, none, spent, p)
        for spent, orders in ((renyi, ORDERS), (gaussian, (np.inf,)))
        for c in compositions(spent, orders, "rate")
    }
    assert p <= told["gaussian"] <= told["renyi"] + 1e-12


def test_infinite_divergences_leave_the_couplings() -> None:
    """At one state the noise may change in any way: no Renyi order is finite, (B) and (C) stay."""
    spent = np.array([*(np.inf for _ in ORDERS), 0.1, 0.1, 0.05]) * np.ones((8, 1))
    found = {
        c.method: promise(c, np.zeros(8), spent, 0.01) for c in compositions(spent, ORDERS, "rate")
    }
    assert found.keys() == {"coupling", "additive"}
    assert max(found.values()) < 0.2
    nothing = np.full_like(spent, np.inf)
    assert compositions(nothing, ORDERS, "mean") == ()


def episodes() -> list[np.ndarray]:
    return [np.linspace(-1, 1, n)[:, None] for n in (3, 5)]


@pytest.mark.parametrize("policy", [homing(), SmoothedPolicy(lambda obs: obs, 0.2)])
def test_what_an_adversary_can_use_up_is_summed(policy: object) -> None:
    balls = [LpBall.of("linf", eps) for eps in (0.0, 0.01, 0.1)]
    spent = spent_budgets(policy, episodes(), balls, 5)  # type: ignore[arg-type]
    assert spent.shape == (2, 3, len(policy.orders) + 3)
    assert (np.diff(spent, axis=1) > 0).all()
    hazard, tv, left = spent[..., HAZARD], spent[..., TV], spent[..., TV_LEFT]
    assert (left <= tv).all()
    assert (tv <= hazard).all()
    # Steps of one size s each: T of them, and (1 + 4/5 + 3/5) of the first episode's.
    if isinstance(policy, SmoothedPolicy):
        step = tv[:, -1] / np.array([3, 5])
        np.testing.assert_allclose(left[:, -1], step * np.array([2.4, 3.0]))
        np.testing.assert_allclose(hazard[:, -1], -np.log1p(-step) * np.array([3, 5]))
    unknown = spent_budgets(policy, episodes(), balls[1:], None)  # type: ignore[arg-type]
    assert np.isinf(unknown[..., TV_LEFT]).all()


def test_a_certificate_names_its_composition() -> None:
    made = make_composition("renyi", "rate", 1, 0.5, 2.0)
    assert made == Renyi("rate", 1, 0.5, 2.0)
    with pytest.raises(ValueError, match="Did you mean 'renyi'"):
        make_composition("reny", "rate", 0, 1.0)


def test_two_compositions_of_one_name_are_refused() -> None:
    before = dict(COMPOSITIONS)
    for name in ("coupling", "trivial"):
        kind = type("Other", (Coupling,), {"method": name})
        with pytest.raises(ValueError, match=f"{name!r} exists already"):
            register(kind)
    assert before == COMPOSITIONS
