"""Lagrange multiplier steps: state in, state out, no hidden state."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from safer_gym.domains import CAP, NOT_NEGATIVE, NUMBER, require, require_array, shown


def gradient_multiplier_step(
    value: float, slack: float, step_size: float, cap: float = math.inf
) -> float:
    """One projected dual step: clip(value - step_size * slack, 0, cap).

    `slack` = bound - measured: a violated constraint has negative slack and raises the
    multiplier (paper B.2.1, the multipliers of Eqs. 62 to 66).

    Raises:
        ValueError: if step_size < 0 or cap < 0.
    """
    require(NUMBER, value=value, slack=slack)
    require(NOT_NEGATIVE, step_size=step_size)
    require(CAP, cap=cap)
    return min(max(value - step_size * slack, 0.0), cap)


class PIDGains(NamedTuple):
    """Gains of the PID multiplier; the defaults are the paper's (B.3.2)."""

    proportional: float = 0.1
    integral: float = 0.003
    derivative: float = 0.001


def gains_of(pid_gains: Any) -> PIDGains:
    """Gains as a user gives them.

    Raises:
        ValueError, TypeError: not three finite numbers >= 0.
    """
    require_array(NOT_NEGATIVE, pid_gains=pid_gains)
    if np.shape(pid_gains) != (3,):
        raise ValueError(
            "pid_gains must be three numbers >= 0 (proportional, integral, derivative); "
            f"got {shown(pid_gains)}"
        )
    return PIDGains(*pid_gains)


class PIDState(NamedTuple):
    """What the controller remembers: the running sum of errors and the last error."""

    integral: float = 0.0
    last_error: float = 0.0


def pid_multiplier_step(
    state: PIDState, error: float, gains: PIDGains | None = None, cap: float = math.inf
) -> tuple[float, PIDState]:
    """The PID Lagrangian multiplier of Stooke et al. (2020), used with the loss of Eq. 70.

    `error` = measured cost - cost limit. The integral never falls below zero, nor grows past what
    reaches the cap by itself, so that the multiplier leaves its cap at the first error below zero.
    Only a growing error has a derivative part.

    Returns:
        The multiplier in [0, cap] and the next state.
    """
    require(NUMBER, error=error)
    require(CAP, cap=cap)
    gains = gains if gains is not None else PIDGains()
    largest = cap / gains.integral if gains.integral > 0 else math.inf
    integral = min(max(state.integral + error, 0.0), largest)
    value = (
        gains.proportional * max(error, 0.0)
        + gains.integral * integral
        + gains.derivative * max(error - state.last_error, 0.0)
    )
    return min(max(value, 0.0), cap), PIDState(integral, error)
