"""A Lagrange multiplier's state and its step, by gradient or as a PID controller."""

from __future__ import annotations

from typing import Any, NamedTuple

from safer_gym.choices import choose
from safer_gym.domains import CAP, NOT_NEGATIVE, require
from safer_gym.multipliers import (
    PIDGains,
    PIDState,
    gains_of,
    gradient_multiplier_step,
    pid_multiplier_step,
)

MULTIPLIERS = ("gradient", "pid")


class Multiplier(NamedTuple):
    """A Lagrange multiplier, and the sums that its controller keeps of earlier errors."""

    lam: float = 0.0
    memory: PIDState = PIDState()

    @staticmethod
    def restored(lam: float, memory: tuple[float, float]) -> Multiplier:
        """From what JSON makes of one."""
        return Multiplier(lam, PIDState(*memory))


class MultiplierRule(NamedTuple):
    """How a multiplier moves.

    Args:
        kind: "gradient" (one projected dual step) or "pid" (SAFER, appendix B.2.2).
        learning_rate: step of the gradient rule.
        gains: of the PID rule.
        max_lam: bound of the multiplier.
    """

    kind: str
    learning_rate: float
    gains: PIDGains
    max_lam: float

    @staticmethod
    def of(kind: str, learning_rate: float, gains: Any, max_lam: float) -> MultiplierRule:
        """Check the options of an agent.

        Raises:
            ValueError: an unknown kind, a negative number, or not three gains.
        """
        choose("multiplier", kind, MULTIPLIERS)
        require(NOT_NEGATIVE, multiplier_lr=learning_rate)
        require(CAP, max_lam=max_lam)
        return MultiplierRule(kind, learning_rate, gains_of(gains), max_lam)

    def step(self, multiplier: Multiplier, error: float) -> Multiplier:
        """The next multiplier; `error` = measured cost - bound."""
        if self.kind == "pid":
            return Multiplier(
                *pid_multiplier_step(multiplier.memory, error, self.gains, self.max_lam)
            )
        lam = gradient_multiplier_step(multiplier.lam, -error, self.learning_rate, self.max_lam)
        return multiplier._replace(lam=lam)
