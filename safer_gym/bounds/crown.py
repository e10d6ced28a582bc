"""CROWN: linear bounds carried backward through the network (Zhang et al. 2018, section 3).

A lower bound of each row of C f(x) starts as C f. Every activation is replaced by the line under
or over it, according to the sign of its coefficient; at the input a linear function is left, whose
minimum over the region is known. An upper bound is the lower bound of -C f.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.bounds.interval import Enclosure, interval_step
from safer_gym.bounds.network import Activation, Affine, Layer, Layers
from safer_gym.bounds.region import Region
from safer_gym.bounds.relaxations import Relaxation, relax


class Step(NamedTuple):
    """A layer with the box of its inputs and, for an activation, its two lines."""

    layer: Layer
    box: Enclosure
    lines: Relaxation | None


def crown(layers: Layers, region: Region) -> tuple[Enclosure, list[Step]]:
    """The box [B, A] of the network's output over the region, and how it was found.

    Each intermediate box is the intersection of CROWN's and the interval one.
    """
    box = Enclosure(region.low, region.high)
    steps: list[Step] = []
    for layer in layers:
        lines = relax(layer, box) if isinstance(layer, Activation) else None
        steps.append(Step(layer, box, lines))
        box = interval_step(layer, box)
        if isinstance(layer, Affine):
            box = _meet(box, _backward(steps, region))
    return box, steps


def _backward(steps: list[Step], region: Region) -> Enclosure:
    """Both bounds of the last step's output: its rows, and their negatives, at once."""
    last = steps[-1].layer
    assert isinstance(last, Affine)
    rows = torch.cat([last.weight, -last.weight])
    bounds = lower_bounds(rows, steps[:-1], region) + torch.cat([last.bias, -last.bias])
    lower, negative_upper = bounds.chunk(2, dim=1)
    return Enclosure(lower, -negative_upper)


def lower_bounds(rows: Tensor, steps: list[Step], region: Region) -> Tensor:
    """Lower bounds [B, R] of rows [R, n] times the output of the last step."""
    constant: Tensor | float = 0.0
    for layer, _, lines in reversed(steps):
        if isinstance(layer, Affine):
            constant = constant + rows @ layer.bias
            rows = rows @ layer.weight
        else:
            assert lines is not None
            under, over = rows.clamp(min=0), rows.clamp(max=0)
            constant = constant + _dot(under, lines.lower_offset) + _dot(over, lines.upper_offset)
            rows = under * lines.lower_slope.unsqueeze(1) + over * lines.upper_slope.unsqueeze(1)
    return region.minimum(rows) + constant


def _dot(rows: Tensor, offsets: Tensor) -> Tensor:
    """[R, n] or [B, R, n] times [B, n], as [B, R]."""
    if rows.dim() == 2:
        return offsets @ rows.mT
    return torch.bmm(rows, offsets.unsqueeze(-1)).squeeze(-1)


def _meet(a: Enclosure, b: Enclosure) -> Enclosure:
    return Enclosure(torch.maximum(a.lower, b.lower), torch.minimum(a.upper, b.upper))
