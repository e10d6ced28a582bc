"""A curve, described by where it is concave, and the lines that hold it over an interval.

The line above it is the one that leaves the smallest area. For a given slope s the least line above
has the offset max (f(x) - s x). On a convex piece the maximum is at an end; on a concave one any
two tangents bound it, wherever they touch. So every slope gives a line that is above, and the
search for a good slope cannot make it wrong.

The line of smallest area is lowest at the middle of the interval: there it supports the concave
hull of f. The search holds one point of the curve on each side of the middle; the slope between
them gives a line, which touches the curve in a point that replaces one of the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

ULPS = 4.0
"""Errors of elementary functions, in units of round-off; libraries promise one or two."""
Function = Callable[[Tensor], Tensor]
_ROUNDS = 4
_BISECTIONS = 10
_PAD = 1e-14
"""Offsets move outward by this much: over the errors of the functions in float64."""


@dataclass(frozen=True)
class Curve:
    """An elementwise function, convex and concave in turns.

    Args:
        name: in words.
        function: its values.
        slope: its derivative; at a kink a slope between those on both sides, at an inflection the
            larger one.
        inflections: where convex and concave pieces meet, ascending.
        concave_first: whether the piece on the left is concave.
        lowest: where it is least, if it falls before it rises; None for one that never falls.
        level: a size of its values near zero, where its round-off is absolute.
        slack: how far what torch computes may lie from it beside round-off.
    """

    name: str
    function: Function
    slope: Function
    inflections: tuple[float, ...] = ()
    concave_first: bool = False
    lowest: float | None = None
    level: float = 1.0
    slack: float = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)

    @property
    def pieces(self) -> list[tuple[float, float, bool]]:
        """From, to, and whether it is concave there."""
        ends = (-math.inf, *self.inflections, math.inf)
        return [
            (start, end, self.concave_first ^ bool(i % 2))
            for i, (start, end) in enumerate(pairwise(ends))
        ]

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The ends of its values over boxes: the largest value is at an end."""
        at_low, at_high = self(low), self(high)
        least, most = torch.minimum(at_low, at_high), torch.maximum(at_low, at_high)
        if self.lowest is None:
            return least, most
        at = torch.full_like(low, self.lowest)
        return torch.where((low < at) & (at < high), self(at), least), most

    def above(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Slopes and offsets of lines over it."""
        return _line_above(self, low, high)

    def below(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Slopes and offsets of lines under it."""
        slope, offset = _line_above(self.negated(), low, high)
        return -slope, -offset

    def error(self, low: Tensor, high: Tensor, unit: float) -> Tensor:
        """|computed - exact|: no slope is above 2, and no value at zero above its level."""
        size = torch.maximum(low.abs(), high.abs())
        return 2 * ULPS * unit * (size + self.level) + self.slack

    def negated(self) -> Curve:
        """x -> -f(x): its lines above are those below, and it is concave where f is convex."""
        return replace(
            self,
            function=lambda x: -self.function(x),
            slope=lambda x: -self.slope(x),
            concave_first=not self.concave_first,
        )


def _line_above(curve: Curve, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Slope and offset of a line over `curve` on [low, high]."""
    slope, offset = (_searched if curve.inflections else _at_once)(curve, low, high)
    return slope, offset + _PAD * (curve.level + low.abs() + high.abs())


def _at_once(curve: Curve, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The tangent at the middle of a concave curve, the chord of a convex one."""
    middle = (low + high) / 2
    slope = curve.slope(middle)
    if curve.concave_first:
        return slope, curve(middle) - slope * middle
    slope = _between(curve, low, high, slope)
    return slope, _at_ends(curve, slope, low, high)[0]


def _searched(curve: Curve, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    middle = (low + high) / 2
    slope = curve.slope(middle)
    # Where the curve lies under its tangent at the middle, that tangent is the best line.
    best_slope, best = slope, _highest(curve, slope, low, high)[0]
    left, right = low, high
    for _ in range(_ROUNDS):
        slope = _between(curve, left, right, slope)
        peak, touch = _highest(curve, slope, low, high)
        is_better = slope * middle + peak < best_slope * middle + best
        best_slope = torch.where(is_better, slope, best_slope)
        best = torch.where(is_better, peak, best)
        is_left = touch < middle
        left, right = torch.where(is_left, touch, left), torch.where(is_left, right, touch)
    return best_slope, best


def _between(curve: Curve, left: Tensor, right: Tensor, otherwise: Tensor) -> Tensor:
    width = right - left
    is_wide = width > 1e-9 * (1 + left.abs() + right.abs())
    rise = (curve(right) - curve(left)) / torch.where(is_wide, width, 1.0)
    return torch.where(is_wide, rise, otherwise)


def _highest(curve: Curve, slope: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """A number that curve(x) - slope x never exceeds on [low, high], and nearly where it is."""
    value = torch.full_like(low, -torch.inf)
    where = low
    for start, end, is_concave in curve.pieces:
        a, b = low.clamp(min=start), high.clamp(max=end)
        is_there = a <= b
        a = torch.minimum(a, b)
        height, at = _of_concave(curve, slope, a, b) if is_concave else _at_ends(curve, slope, a, b)
        is_higher = is_there & (height > value)
        value, where = torch.where(is_higher, height, value), torch.where(is_higher, at, where)
    return value, where


def _at_ends(curve: Curve, slope: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    left, right = curve(a) - slope * a, curve(b) - slope * b
    return torch.maximum(left, right), torch.where(left > right, a, b)


def _of_concave(curve: Curve, slope: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    left, right = a, b
    for _ in range(_BISECTIONS):
        middle = (left + right) / 2
        rises = curve.slope(middle) >= slope
        left, right = torch.where(rises, middle, left), torch.where(rises, right, middle)

    def tangent(at: Tensor, x: Tensor) -> Tensor:
        return curve(at) - slope * at + (curve.slope(at) - slope) * (x - at)

    # One tangent up to `right`, the other from there on.
    height = torch.stack(
        [tangent(left, a), tangent(left, right), tangent(right, right), tangent(right, b)]
    )
    return height.amax(0), left
