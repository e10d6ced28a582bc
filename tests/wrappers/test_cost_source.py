"""What is a cost, where it is looked for, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.wrappers.cost_source import CostSource, MissingCostError

COSTS = st.floats(0, 1e6)


def read(info, **options):
    return CostSource(**options).read(None, None, None, info)


@pytest.mark.parametrize(
    ("info", "cost"),
    [
        ({"cost": 1, "cost_sum": 2, "constraint_violation": 3}, 1.0),
        ({"cost_sum": 2, "constraint_violation": 3, "cost_hazards": 2}, 2.0),
        ({"constraint_violation": 1, "constraint_values": [9.0, 9.0]}, 1.0),
        ({"cost": 1.0, "total_cost": 50.0, "cost_a": 1.0, "cost_sum": 1.0}, 1.0),
        ({"cost": True}, 1.0),
        ({"cost": np.float32(0.5)}, 0.5),
        ({"cost": np.array([0.5])}, 0.5),
    ],
)
def test_default_keys_in_their_order(info, cost):
    found = read(info).cost
    assert found == cost
    assert type(found) is float


def test_a_named_key_goes_before_the_defaults():
    assert read({"cost": 1.0, "crash": 3.0}, cost="crash").cost == 3.0


@given(st.dictionaries(st.sampled_from("abcd"), COSTS, min_size=1))
def test_reducers(parts):
    info = {f"cost_{name}": value for name, value in parts.items()}
    named = {name: f"cost_{name}" for name in parts}
    assert read(info, cost=named) == (math.fsum(parts.values()), parts)
    assert read(info, cost=named, reduce="max") == (max(parts.values()), parts)
    assert read(info, cost=named, reduce=lambda costs: float(len(costs))).cost == len(parts)


def test_several_costs_under_one_key():
    assert read({"cost": {"speed": 1, "wall": 0.5}}) == (1.5, {"speed": 1.0, "wall": 0.5})
    assert read({"cost": np.array([1.0, 0.5])}, reduce="max") == (1.0, {"0": 1.0, "1": 0.5})


def test_keys_and_functions_may_be_mixed():
    source = {"crash": "crash", "speed": lambda obs, action, after, info: after - obs}
    reading = CostSource(source).read(1.0, None, 3.5, {"crash": 1})
    assert reading == (3.5, {"crash": 1.0, "speed": 2.5})


@pytest.mark.parametrize("info", [{}, {"cost_hazards": 1.0}, {"total_cost": 3.0}])
def test_a_missing_cost_names_the_ways_to_supply_one(info):
    with pytest.raises(MissingCostError) as error:
        read(info)
    for way in ("cost='key'", "cost=function", "cost={", "SafetyGymnasiumAdapter", "strict=False"):
        assert way in str(error.value)
    assert all(repr(key) in str(error.value) for key in info)


def test_not_strict_counts_zero_and_warns_once():
    source = CostSource(strict=False)
    with pytest.warns(UserWarning, match="counts as zero"):
        assert source.read(None, None, None, {}).cost == 0.0
    assert source.read(None, None, None, {}).cost == 0.0


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (math.nan, ValueError, "finite; got nan"),
        (math.inf, ValueError, "finite; got inf"),
        (-0.1, ValueError, "at least 0; got -0.1"),
        ("high", TypeError, "single number; got 'high'"),
        ("0.5", TypeError, "single number; got '0.5'"),
        (np.array(["0.5"]), TypeError, "single number; got array"),
        (None, TypeError, "single number; got None"),
        (np.zeros((2, 2)), TypeError, "single number"),
        ({"a": 1.0, "b": -1.0}, ValueError, r"cost\['b'\] must be at least 0"),
    ],
)
def test_what_is_no_cost_is_refused(value, error, text):
    with pytest.raises(error, match=text):
        read({"cost": value})


def test_a_reducer_cannot_hide_a_bad_part():
    """The smaller part alone would look fine."""
    with pytest.raises(ValueError, match="finite"):
        read({"a": math.nan, "b": 0.0}, cost={"a": "a", "b": "b"}, reduce=lambda parts: parts["b"])


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"cost": 3}, TypeError, "a dict of these by name; got int"),
        ({"cost": {}}, ValueError, "at least one constraint"),
        ({"cost": {"a": 1.0}}, TypeError, r"cost\['a'\] must be a key"),
        ({"reduce": "mean"}, ValueError, "reduce must be one of 'sum', 'max'; got 'mean'"),
    ],
)
def test_bad_sources_are_named(options, error, text):
    with pytest.raises(error, match=text):
        CostSource(**options)
