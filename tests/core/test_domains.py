"""Domains of arguments: what belongs to them, in every type in which it may come."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.domains import (
    ABOVE_ONE,
    AT_LEAST_ONE,
    CAP,
    COUNT,
    FLAG,
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    PROBABILITY,
    SEED,
    SHARE,
    SHARE_ABOVE_ZERO,
    SHARE_BELOW_ONE,
    Domain,
    require,
    require_array,
)

SETS: list[tuple[Domain, Any]] = [
    (NUMBER, lambda v: math.isfinite(v)),
    (POSITIVE, lambda v: math.isfinite(v) and v > 0),
    (NOT_NEGATIVE, lambda v: math.isfinite(v) and v >= 0),
    (CAP, lambda v: v >= 0),
    (SHARE, lambda v: 0 <= v <= 1),
    (SHARE_ABOVE_ZERO, lambda v: 0 < v <= 1),
    (SHARE_BELOW_ONE, lambda v: 0 <= v < 1),
    (PROBABILITY, lambda v: 0 < v < 1),
    (ABOVE_ONE, lambda v: math.isfinite(v) and v > 1),
]
WHOLE: list[tuple[Domain, Any]] = [
    (COUNT, lambda v: v >= 0),
    (AT_LEAST_ONE, lambda v: v >= 1),
    (SEED, lambda v: 0 <= v < 2**32),
]
numbers = st.floats() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, -0.0, 1e308, 2**32])


def admits(domain: Domain, value: Any, check: Any = require) -> bool:
    try:
        check(domain, it=value)
    except (TypeError, ValueError) as error:
        return not str(error).startswith(f"it must be {domain.words}")
    return True


@given(numbers)
def test_a_number_belongs_by_its_value_in_every_type(value: float) -> None:
    for domain, belongs in SETS:
        for form in (value, np.float64(value)):
            assert admits(domain, form) == belongs(value)
        for many in (
            [value, value],
            np.full((2, 1), float(value)),
            torch.full((3,), float(value), dtype=torch.float64),
        ):
            assert admits(domain, many, require_array) == belongs(value)


@given(st.integers(-(2**40), 2**40) | st.integers(-2, 2))
def test_a_whole_number_belongs_by_its_value_and_a_fraction_never(value: int) -> None:
    for domain, belongs in WHOLE:
        assert admits(domain, value) == belongs(value)
        assert admits(domain, np.int64(value)) == belongs(value)
        assert not admits(domain, value + 0.5)
        assert not admits(domain, float(value))


@pytest.mark.parametrize("value", ["1", "", b"1", None, [], [1], {}, 1j, object(), True, np.True_])
def test_what_is_no_number_is_a_type_error(value: Any) -> None:
    for domain, _ in SETS + WHOLE:
        with pytest.raises(TypeError, match=r"^eps must be"):
            require(domain, eps=value)


@pytest.mark.parametrize(
    "value",
    [
        "1",
        ["1"],
        [True],
        [1, True],
        [[0.1], [np.True_]],
        [None],
        np.array(["1"]),
        torch.tensor([True]),
        np.array([True]),
        {},
        object(),
        [[1], [1, 2]],
    ],
)
def test_what_holds_no_numbers_is_no_array_of_them(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^eps must be a finite number, or an array"):
        require_array(NUMBER, eps=value)


@pytest.mark.parametrize("value", [[], np.zeros((0, 2)), 10**400, [10**400], [0.1, math.nan]])
def test_no_numbers_and_numbers_outside_are_value_errors(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^eps must be"):
        require_array(NUMBER, eps=value)


def test_a_flag_is_a_flag() -> None:
    for value in (True, False, np.True_, np.False_):
        require(FLAG, strict=value)
    for value in (0, 1, 1.0, "False", "", None, [], np.int64(1)):
        with pytest.raises(TypeError, match="strict must be True or False"):
            require(FLAG, strict=value)


def test_none_belongs_where_it_is_said() -> None:
    require(SHARE.or_none, tau=None)
    require_array(SHARE.or_none, tau=None)
    with pytest.raises(ValueError, match=r"tau must be a number in \[0, 1\], or None; got 5"):
        require(SHARE.or_none, tau=5)


def test_a_long_value_is_cut_short() -> None:
    with pytest.raises(TypeError) as refusal:
        require(SHARE, tau="x" * 10_000)
    assert len(str(refusal.value)) < 200
