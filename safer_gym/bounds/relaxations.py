"""Two lines that hold an activation between them over an interval.

On [lower, upper] each function f satisfies
    lower_slope x + lower_offset <= f(x) <= upper_slope x + upper_offset.
ReLU and its leaky form: the chord above; below, any line through zero between the two pieces,
first the better piece. Tanh is convex left
of zero and concave right of it: a chord, or of the tangents on the right side the one that leaves
the smallest area. Other curves: see `curve`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.bounds.curve import Curve
from safer_gym.bounds.interval import Enclosure
from safer_gym.bounds.network import Activation
from safer_gym.bounds.standardise import Standardise

_BISECTIONS = 20
_PAD = 1e-14
"""Offsets move outward by this much: far over the errors of tanh in float64, far under any use."""


class Relaxation(NamedTuple):
    """Slopes and offsets [B, O] of the two lines."""

    lower_slope: Tensor
    lower_offset: Tensor
    upper_slope: Tensor
    upper_offset: Tensor
    least_slope: Tensor
    """With the same offset every lower slope from here ..."""
    most_slope: Tensor
    """... to here holds too. None of them is larger in size."""


def widened(lines: Relaxation, before: Tensor | float, after: Tensor) -> Relaxation:
    """Lines for f(x + e) + d, with |e| <= before and |d| <= after, where they held for f.

    The interval they hold on is that of x + e.
    """
    return lines._replace(
        lower_offset=lines.lower_offset - lines.most_slope.abs() * before - after,
        upper_offset=lines.upper_offset + lines.upper_slope.abs() * before + after,
    )


def relax(activation: Activation | Curve | Standardise, box: Enclosure) -> Relaxation:
    """The lines for `activation` over each interval of `box`."""
    if not isinstance(activation, Activation):
        below, offset = activation.below(*box)
        return Relaxation(below, offset, *activation.above(*box), below, below)
    if activation.name == "tanh":
        slope, offset = _tanh_above(box.lower, box.upper)
        # tanh is odd: what lies above it, mirrored at the origin, lies below it.
        mirrored_slope, mirrored_offset = _tanh_above(-box.upper, -box.lower)
        below = mirrored_slope
        return Relaxation(below, -mirrored_offset, slope, offset, below, below)
    return _relu(box.lower, box.upper, activation.slope)


def _relu(low: Tensor, high: Tensor, leak: float) -> Relaxation:
    """max(x, leak x): exact where the interval does not straddle zero."""
    value_low, value_high = torch.maximum(low, leak * low), torch.maximum(high, leak * high)
    straddles = (low < 0) & (high > 0)
    width = torch.where(straddles, high - low, 1.0)
    chord = torch.where(straddles, (value_high - value_low) / width, 1.0)
    chord = torch.where(high <= 0, leak, chord)
    offset = torch.where(straddles, value_low - chord * low, 0.0)
    # Of the lines through zero, the piece of the longer side leaves the smaller area.
    below = torch.where(straddles, torch.where(high > -low, 1.0, leak), chord)
    offset = offset + torch.where(straddles, _PAD * (low.abs() + high.abs()), 0.0)
    least, most = torch.where(straddles, leak, chord), torch.where(straddles, 1.0, chord)
    return Relaxation(below, torch.zeros_like(below), chord, offset, least, most)


def _tanh_above(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Slope and offset of a line over tanh on [low, high]."""
    at_low, at_high = torch.tanh(low), torch.tanh(high)
    width = high - low
    # A chord is above where tanh is convex, and further right while the curve's slope at the right
    # end exceeds its own.
    chord = torch.where(width > 1e-6, (at_high - at_low) / width.clamp(min=1e-6), 0.0)
    is_chord = (width > 1e-6) & ((high <= 0) | (1 - at_high.square() >= chord))
    # Of the tangents above, the one at the middle leaves the smallest area.
    middle = (low + high) / 2
    touch = torch.where(low >= 0, middle, torch.maximum(middle, _touching_point(low, high)))
    at_touch = torch.tanh(touch)
    tangent = 1 - at_touch.square()
    # Over an interval too short for a chord the highest value is above.
    flat = (width <= 1e-6) & (low < 0)
    slope = torch.where(is_chord, chord, torch.where(flat, 0.0, tangent))
    offset = torch.where(is_chord, at_low - chord * low, at_touch - tangent * touch)
    offset = torch.where(flat, at_high, offset)
    return slope, offset + _PAD * (1 + low.abs() + high.abs())


def _touching_point(low: Tensor, high: Tensor) -> Tensor:
    """The least d >= 0, nearly, whose tangent is not under tanh at low < 0, where high is one."""
    value = torch.tanh(low)
    left, right = torch.zeros_like(high), high.clamp(min=0)
    for _ in range(_BISECTIONS):
        middle = (left + right) / 2
        at_middle = torch.tanh(middle)
        is_above = at_middle + (1 - at_middle.square()) * (low - middle) >= value
        left, right = torch.where(is_above, left, middle), torch.where(is_above, middle, right)
    return right
