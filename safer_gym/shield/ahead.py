"""A safe set one step ahead, computed once for each model."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from safer_gym.shield.box import Box, Support
from safer_gym.shield.mode import Mode
from safer_gym.shield.safe_support import SafeSupport


class Ahead(NamedTuple):
    """Of each row of a safe set: what a mode makes of it in one step."""

    state: SafeSupport
    """How far rows A z reach."""
    pull: Tensor
    """Rows times B [R, M]."""
    shift: Tensor
    """Rows times c [R]."""
    spread: Support
    """How far rows times the error reach."""
    high: Support
    """Of A z, for the box of the next state."""
    low: Support
    """Of -A z."""

    @classmethod
    def of(cls, rows: Tensor, limits: Tensor, mode: Mode) -> Ahead:
        """Computed once."""
        support = SafeSupport(rows @ mode.A, rows, limits)
        ends = Support(mode.A), Support(-mode.A)
        return cls(support, rows @ mode.B, rows @ mode.c, Support(rows), *ends)

    def reach(self, box: Box) -> Tensor:
        """An upper bound [B, R] of the rows after a step without action and error, from safe
        states."""
        return self.state(box) + self.shift
