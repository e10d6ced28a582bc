"""Schedules rise from 0 to 1 and clip their argument."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.schedules import EpsSchedule, make_schedule

RISING = ("linear", "exponential", "step")
UNIT = st.floats(0, 1)


def check_rises(schedule: EpsSchedule, start: float, end: float, a: float, b: float) -> None:
    a, b = min(a, b), max(a, b)
    assert 0 <= schedule(a) <= schedule(b) <= 1
    assert schedule(1.0) == 1 == schedule(end) == schedule(7.0)
    if start < end:
        assert schedule(start) == 0 == schedule(-1.0)


@given(st.sampled_from(RISING), UNIT, UNIT, UNIT, UNIT)
def test_they_rise_from_zero_to_one(name: str, x: float, y: float, a: float, b: float) -> None:
    start, end = min(x, y), max(x, y)
    check_rises(make_schedule(name, start=start, end=end), start, end, a, b)


def test_the_check_rejects_an_exponential_that_never_arrives() -> None:
    with pytest.raises(AssertionError):
        check_rises(lambda p: 1 - math.exp(-5 * p), 0.0, 1.0, 0.2, 0.4)


@given(UNIT)
def test_equation_67(progress: float) -> None:
    epochs, first, rise = 100, 20, 50
    expected = min(1.0, max(0.0, progress * epochs - first) / rise)
    schedule = make_schedule("linear", start=0.2, end=0.7)
    assert schedule(progress) == pytest.approx(expected, abs=1e-9)


def test_shapes() -> None:
    assert make_schedule("constant", value=0.3)(0.9) == 0.3
    stairs = make_schedule("step", levels=2)
    assert [stairs(p) for p in (0.0, 0.49, 0.5, 0.99, 1.0)] == [0, 0, 0.5, 0.5, 1]
    assert make_schedule("exponential")(0.5) > 0.5


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("liner", {}, "Did you mean 'linear'"),
        ("linear", {"start": 0.8, "end": 0.2}, "start must not be above end"),
        ("constant", {"value": 2}, "value must be a number in"),
        ("exponential", {"rate": 0}, "rate must be a finite number > 0"),
        ("step", {"levels": 0}, "levels must be a whole number >= 1"),
    ],
)
def test_bad_schedules_are_refused(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_schedule(name, **options)


def test_nan_progress_is_refused() -> None:
    with pytest.raises(ValueError, match="got nan"):
        make_schedule("linear")(math.nan)
