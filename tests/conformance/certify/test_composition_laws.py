"""Each composition's bound, value and shift by its own formula, written down once more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from safer_gym.conformance.certify.compositions import compositions, make_composition
from safer_gym.conformance.certify.divergence import HAZARD, TV, TV_LEFT

RATES = st.floats(1e-4, 0.6)
BUDGETS = st.floats(1e-3, 4.0)
ORDERS = st.sampled_from([1.05, 1.5, 2.0, 8.0])
METRICS = st.sampled_from(["rate", "mean"])


@given(RATES, BUDGETS, METRICS)
def test_the_gaussian_filter_shifts_by_the_root_of_its_budget(p: float, b: float, metric) -> None:
    made = make_composition("gaussian", metric, 0, b)
    assert made.shift == pytest.approx(np.sqrt(b))
    assert made.bound(p) == pytest.approx(norm.cdf(norm.ppf(p) + np.sqrt(b)), rel=1e-9)


@given(RATES, BUDGETS, ORDERS)
def test_gaussian_moments_are_those_of_hoelder(m: float, b: float, a: float) -> None:
    """(e^rho E[x^q])^(1/q), rho = a b / 2 the Renyi divergence of a shift of sqrt(b)."""
    made = make_composition("gaussian moment", "mean", 0, b, a)
    q = a / (a - 1)
    wanted = min((np.exp(a * b / 2) * m) ** (1 / q), 1.0)
    assert made.shift == pytest.approx(np.sqrt(b))
    assert made.bound(m) == pytest.approx(wanted, rel=1e-9)
    shares = np.array([0.0, 0.25, 1.0, 0.5])
    spent = np.array([[0.0], [b], [0.0], [1.01 * b]])
    assert made.values(shares, spent) == pytest.approx([0.0, 0.25**q, 1.0, 1.0])


@given(RATES, BUDGETS, ORDERS)
def test_renyi_moments_are_those_of_hoelder(m: float, b: float, a: float) -> None:
    made = make_composition("renyi moment", "mean", 0, b, a)
    wanted = min((np.exp(b) * m) ** ((a - 1) / a), 1.0)
    assert made.bound(m) == pytest.approx(wanted, rel=1e-9)


@given(RATES, st.floats(1e-3, 1.0), ORDERS, METRICS)
def test_the_renyi_filter_spends_its_budget(p: float, b: float, a: float, metric) -> None:
    """Two-point divergence from the benign to the bounded probability."""
    made = make_composition("renyi", metric, 0, b, a)
    q = made.bound(p)
    assert q >= p
    assert made.shift == pytest.approx(np.sqrt(2 * b / a))
    if q < 1.0:
        spent = np.log(q**a * p ** (1 - a) + (1 - q) ** a * (1 - p) ** (1 - a)) / (a - 1)
        assert spent == pytest.approx(b, rel=1e-6)
        assert spent >= b * (1 - 1e-10)  # rounded up, never down


@given(RATES, BUDGETS, METRICS)
def test_a_coupling_parts_with_the_probability_of_its_hazards(p: float, b: float, metric) -> None:
    made = make_composition("coupling", metric, HAZARD, b)
    assert made.bound(p) == pytest.approx(min(p + 1 - np.exp(-b), 1.0), rel=1e-9)


@given(st.floats(0.01, 0.4), METRICS)
def test_the_additive_value_is_share_and_spending(b: float, metric) -> None:
    made = make_composition("additive", metric, -1, b)
    shares, spent = np.array([0.0, 1.0, 0.5, 0.0]), np.array([[0.0], [b], [b / 2], [1.01 * b]])
    assert made.top == 1 + b
    assert not made.is_event
    assert made.values(shares, spent) == pytest.approx([0.0, 1 + b, 0.5 + b / 2, 1 + b])
    assert made.bound(0.3) == pytest.approx(0.3, rel=1e-9)


@pytest.mark.parametrize("spent", [np.nan, np.inf, 1.0 + 1e-9])
@pytest.mark.parametrize(
    ("method", "order"), [("gaussian", None), ("renyi", 2.0), ("coupling", None)]
)
def test_whoever_spends_more_or_nobody_knows_how_much_counts_in_full(
    method: str, order: float | None, spent: float
) -> None:
    for metric in ("rate", "mean"):
        made = make_composition(method, metric, 0, 1.0, order)  # type: ignore[arg-type]
        assert made.values(np.zeros(2), np.array([[1.0], [spent]])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("orders", [(np.inf,), (1.5, 2.0, 8.0)])
def test_each_composition_reads_its_own_column(orders: tuple[float, ...]) -> None:
    """Divergences first, then hazards, total variation, and total variation by the steps left."""
    columns = len(orders) + 3
    spent = 0.1 * np.arange(1, columns + 1) * np.ones((25, 1))
    own = {"coupling": HAZARD % columns, "additive": None}
    for metric in ("rate", "mean"):
        own["additive"] = (TV if metric == "rate" else TV_LEFT) % columns
        for made in compositions(spent, orders, metric):  # type: ignore[arg-type]
            order = orders.index(made.order) if made.order in orders else 0
            column = own.get(made.method, order)
            assert made.column % columns == column
            assert made.budget == pytest.approx(1.02 * 0.1 * (column + 1), rel=1e-6)
