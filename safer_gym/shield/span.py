"""Interval arithmetic on tensors, rounded outward.

Assumed of torch in float64: +, -, *, / and sqrt round correctly, and its other elementwise
functions are right to four units in the last place. What is not finite is unbounded from then on,
and so is a value outside a function's domain.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.shield.box import ROUNDING

LAST_PLACES = 1e-15
"""More than four units in the last place, relative to a number."""
TINY = 1e-300
"""The same, of numbers that are nearly zero."""
WAVES = 1e6
"""Beyond this angle a sine is only known to lie in [-1, 1]."""

Elementwise = Callable[[Tensor], Tensor]


class Span(NamedTuple):
    """Intervals of any shape."""

    low: Tensor
    high: Tensor

    @classmethod
    def point(cls, value: Tensor) -> Span:
        """What is known exactly."""
        return cls(value, value)

    def map(self, change: Elementwise) -> Span:
        """Another shape of the same numbers."""
        return Span(change(self.low), change(self.high))

    def __neg__(self) -> Span:
        return Span(-self.high, -self.low)

    def plus(self, other: Span) -> Span:
        """The sums."""
        return outward(self.low + other.low, self.high + other.high)

    def times(self, other: Span) -> Span:
        """The products."""
        ends = [a * b for a in self for b in other]
        return outward(
            torch.minimum(torch.minimum(ends[0], ends[1]), torch.minimum(ends[2], ends[3])),
            torch.maximum(torch.maximum(ends[0], ends[1]), torch.maximum(ends[2], ends[3])),
        )

    def inverse(self) -> Span:
        """1 / x; unbounded where 0 is among them."""
        holds_zero = (self.low <= 0) & (self.high >= 0)
        return outward(
            torch.where(holds_zero, -torch.inf, 1 / self.high),
            torch.where(holds_zero, torch.inf, 1 / self.low),
        )

    def size(self) -> Span:
        """|x|"""
        most = torch.maximum(self.low.abs(), self.high.abs())
        least = torch.maximum(self.low, -self.high).clamp(min=0)
        return Span(least, most)

    def power(self, n: int) -> Span:
        """x^n for n >= 0."""
        base = self if n % 2 else self.size()
        return base.rising(lambda x: x**n)

    def rising(self, function: Elementwise) -> Span:
        """The image under a function that never falls."""
        return outward(function(self.low), function(self.high))

    def wave(self, function: Elementwise, peak: float) -> Span:
        """The image under a sine or cosine, of which one peak is given."""
        first, last = function(self.low), function(self.high)
        low, high = outward(torch.minimum(first, last), torch.maximum(first, last))
        return Span(
            torch.where(self._holds(peak + math.pi), -1.0, low),
            torch.where(self._holds(peak), 1.0, high),
        )

    def _holds(self, at: float) -> Tensor:
        """Whether at + 2 pi k is among them for some whole k; sure only where it is not."""
        turn = 2 * math.pi
        first, last = (self.low - at) / turn - 1e-9, (self.high - at) / turn + 1e-9
        far = ~(torch.maximum(self.low.abs(), self.high.abs()) < WAVES)
        return far | (first.ceil() <= last.floor())


def outward(low: Tensor, high: Tensor) -> Span:
    """Room for the rounding of one operation."""
    known = torch.isfinite(low) & torch.isfinite(high)
    low = low - (LAST_PLACES * low.abs() + TINY)
    high = high + (LAST_PLACES * high.abs() + TINY)
    return Span(torch.where(known, low, -torch.inf), torch.where(known, high, torch.inf))


def linear(x: Span, matrix: Tensor) -> Span:
    """x matrix, [..., I] and [I, J] to [..., J]."""
    known = (torch.isfinite(x.low) & torch.isfinite(x.high)).all(-1, keepdim=True)
    low, high = x.map(lambda end: torch.where(known, end, 0.0))
    up, down = matrix.clamp(min=0), matrix.clamp(max=0)
    slack = ROUNDING * (torch.maximum(low.abs(), high.abs()) @ matrix.abs())
    least, most = low @ up + high @ down - slack, high @ up + low @ down + slack
    return Span(torch.where(known, least, -torch.inf), torch.where(known, most, torch.inf))
