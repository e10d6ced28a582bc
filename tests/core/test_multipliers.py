"""Multiplier steps: direction, caps, and the PID rule by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.multipliers import PIDGains, PIDState, gradient_multiplier_step, pid_multiplier_step

NUMBERS = st.floats(-100, 100)
SIZES = st.floats(0, 100)


def check_step(step, value: float, slack: float, size: float, cap: float) -> None:
    new = step(value, slack, size, cap)
    assert 0 <= new <= cap
    if slack < 0 and value <= cap:
        assert new >= value
    if slack > 0:
        assert new <= value
    if slack == 0 and value <= cap:
        assert new == value


@given(SIZES, NUMBERS, SIZES, SIZES)
def test_a_violated_constraint_raises_the_multiplier(
    value: float, slack: float, size: float, cap: float
) -> None:
    check_step(gradient_multiplier_step, value, slack, size, cap)


def test_the_check_rejects_the_other_sign() -> None:
    with pytest.raises(AssertionError):
        check_step(lambda v, s, h, c: min(max(v + h * s, 0), c), 1.0, -0.5, 1.0, 10.0)


def test_a_bound_is_met_in_the_end() -> None:
    """Maximise x - m x^2 / 2 subject to x <= 0.25: the multiplier must settle at 4."""
    multiplier = 1.0
    for _ in range(2000):
        multiplier = gradient_multiplier_step(multiplier, 0.25 - 1 / max(multiplier, 0.1), 0.5, 100)
    assert multiplier == pytest.approx(4.0, rel=1e-6)


def test_pid_by_hand() -> None:
    gains = PIDGains(0.1, 0.01, 0.5)
    value, state = pid_multiplier_step(PIDState(), 2.0, gains)
    assert (value, state) == (pytest.approx(0.2 + 0.02 + 1.0), PIDState(2.0, 2.0))
    value, state = pid_multiplier_step(state, -3.0, gains)  # a falling error: integral part alone
    assert (value, state) == (0.0, PIDState(0.0, -3.0))
    # An error that falls, above the limit and below it: no derivative part, and no negative one.
    assert pid_multiplier_step(PIDState(50.0, 2.0), 1.0, gains)[0] == pytest.approx(0.1 + 0.51)
    assert pid_multiplier_step(PIDState(50.0, 0.0), -1.0, gains)[0] == pytest.approx(0.49)
    assert pid_multiplier_step(PIDState(50.0, 1.0), 1.0, gains, cap=0.3)[0] == 0.3


def check_leaves_the_cap(step, errors: list[float], below: float, cap: float) -> None:
    """However long a cost was above the limit, one episode within it lowers the multiplier."""
    state = PIDState()
    for error in errors:
        value, state = step(state, error, PIDGains(), cap)
        assert 0 <= value <= cap
    value, state = step(state, -below, PIDGains(), cap)
    assert value < cap


HISTORIES = st.lists(st.floats(0.0, 1e6), max_size=20)


@given(HISTORIES, st.floats(0.01, 100), st.floats(0.1, 1e3))
def test_the_multiplier_leaves_its_cap_at_once(
    errors: list[float], below: float, cap: float
) -> None:
    check_leaves_the_cap(pid_multiplier_step, errors, below, cap)


def test_the_check_rejects_an_integral_that_winds_up() -> None:
    def winds_up(state: PIDState, error: float, gains: PIDGains, cap: float):
        value, state = pid_multiplier_step(state, error, gains)
        return min(value, cap), state

    with pytest.raises(AssertionError):
        check_leaves_the_cap(winds_up, [1e6], 5.0, 20.0)


@pytest.mark.parametrize(("size", "cap", "name"), [(-1, 1, "step_size"), (1, -1, "cap")])
def test_bad_settings_are_refused(size: float, cap: float, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        gradient_multiplier_step(0.0, 0.0, size, cap)
