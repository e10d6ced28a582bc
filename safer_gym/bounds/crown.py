"""CROWN: linear bounds carried backward through the network (Zhang et al. 2018, section 3).

A lower bound of each row of C f(x) starts as C f. Every activation is replaced by the line under
or over it, according to the sign of its coefficient; at the input a linear function is left, whose
minimum over the region is known. An upper bound is the lower bound of -C f.

Round-off of the network is part of the network here: each layer's result may be off by
`layer_error`, and the lines make room for it. So all boxes hold computed values, not ideal ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.bounds.interval import Enclosure, interval_step, meet
from safer_gym.bounds.network import Affine, Layer, Layers, affine_layers
from safer_gym.bounds.region import Region
from safer_gym.bounds.relaxations import Relaxation, relax, widened
from safer_gym.bounds.rounding import layer_error

_STEPS = (0.7, 0.4)
"""Changes of the slopes in `refined_bounds`; five steps gain another 0.3 % at most."""


class Step(NamedTuple):
    """A layer and, for an activation, the lines that hold it."""

    layer: Layer
    lines: Relaxation | None


def crown(layers: Layers, region: Region, unit: float, *, refine: bool = True) -> Enclosure:
    """The box [B, A] of what the network computes over the region, with unit roundoff `unit`.

    Each intermediate box is the intersection of CROWN's and the interval one.

    Args:
        refine: choose the lower slopes of the last bounds for each output (`refined_bounds`).
            Without it the box is differentiable in the layers' numbers.
    """
    box, last = region.box, affine_layers(layers)[-1]
    steps: list[Step] = []
    pending: Tensor | float = 0.0  # errors since the last activation; its lines will absorb them
    for layer in layers:
        before, error = box, layer_error(layer, box, unit)
        box = _wider(interval_step(layer, box), error)
        if isinstance(layer, Affine):
            passed = pending @ layer.weight.abs().mT if isinstance(pending, Tensor) else pending
            pending = passed + error
            bounds = _backward(layer, steps, region, refine and layer is last)
            box = meet(box, _wider(bounds, pending))
            steps.append(Step(layer, None))
        else:
            steps.append(Step(layer, widened(relax(layer, before), pending, error)))
            pending = 0.0
    return box


def _backward(last: Affine, steps: list[Step], region: Region, refine: bool) -> Enclosure:
    """Both bounds of an affine map of the last step's output: rows and their negatives at once."""
    rows = torch.cat([last.weight, -last.weight])
    bounds = refined_bounds(rows, steps, region) if refine else lower_bounds(rows, steps, region)
    bounds = bounds + torch.cat([last.bias, -last.bias])
    lower, negative_upper = bounds.chunk(2, dim=1)
    return Enclosure(lower, -negative_upper)


def lower_bounds(
    rows: Tensor, steps: list[Step], region: Region, slopes: Sequence[Tensor] | None = None
) -> Tensor:
    """Lower bounds [B, R] of rows [R, n] times the output of the last step.

    Args:
        slopes: lower slopes [B, R, O] of each activation, first layer first, instead of its own.
    """
    constant: Tensor | float = 0.0
    todo, chosen = list(steps), None if slopes is None else list(slopes)
    while todo:
        layer, lines = todo.pop()
        if isinstance(layer, Affine):
            constant = constant + rows @ layer.bias
            rows = rows @ layer.weight
            continue
        assert lines is not None
        under, over = rows.clamp(min=0), rows.clamp(max=0)
        constant = constant + _dot(under, lines.lower_offset) + _dot(over, lines.upper_offset)
        before = todo[-1].layer if todo else None
        if chosen is None and isinstance(before, Affine) and _is_many(rows, before):
            todo.pop()
            rows, more = _shared(under, over, lines, before)
            constant = constant + more
        else:
            lower_slope = lines.lower_slope.unsqueeze(1) if chosen is None else chosen.pop()
            rows = under * lower_slope + over * lines.upper_slope.unsqueeze(1)
    return region.minimum(rows) + constant


def _is_many(rows: Tensor, before: Affine) -> bool:
    """Whether rows, the same for the whole batch, outnumber the inputs of the layer before."""
    return rows.dim() == 2 and len(rows) > before.weight.shape[1]


def _shared(
    under: Tensor, over: Tensor, lines: Relaxation, before: Affine
) -> tuple[Tensor, Tensor]:
    """Through an activation and the affine layer before it: rows [B, R, I] and constants [B, R].

    Here the layer's weights are scaled by the slopes, not the rows: one product for the whole
    batch, and nothing of size B x R x n.
    """
    joined = torch.cat([before.weight, before.bias.unsqueeze(1)], dim=1)
    n, width = joined.shape
    scaled = [
        (slope.mT.unsqueeze(2) * joined.unsqueeze(1)).reshape(n, -1)
        for slope in (lines.lower_slope, lines.upper_slope)
    ]
    product = torch.addmm(under @ scaled[0], over, scaled[1])
    found = product.view(len(under), -1, width).transpose(0, 1)
    return found[..., :-1], found[..., -1]


def refined_bounds(rows: Tensor, steps: list[Step], region: Region) -> Tensor:
    """`lower_bounds` with the lower slopes chosen for each row by a few steps of ascent.

    Every choice is a bound; the best one is kept (alpha-CROWN, Xu et al. 2021, of the last layer
    alone: its rows are few).
    """
    lines = [line for _, line in steps if line is not None]
    if not any(bool((line.least_slope < line.most_slope).any()) for line in lines):
        return lower_bounds(rows, steps, region)
    slopes = [line.lower_slope.unsqueeze(1).repeat(1, len(rows), 1) for line in lines]
    found = []
    for size in _STEPS:
        with torch.enable_grad():
            slopes = [slope.requires_grad_() for slope in slopes]
            bounds = lower_bounds(rows, steps, region, slopes)
            uphill = torch.autograd.grad(bounds.sum(), slopes)
        found.append(bounds.detach())
        slopes = [
            (slope.detach() + size * gradient.sign_()).clamp(
                line.least_slope.unsqueeze(1), line.most_slope.unsqueeze(1)
            )
            for slope, gradient, line in zip(slopes, uphill, lines, strict=True)
        ]
    found.append(lower_bounds(rows, steps, region, slopes))
    return torch.stack(found).amax(0)


def _dot(rows: Tensor, offsets: Tensor) -> Tensor:
    """[R, n] or [B, R, n] times [B, n], as [B, R]."""
    if rows.dim() == 2:
        return offsets @ rows.mT
    return torch.bmm(rows, offsets.unsqueeze(-1)).squeeze(-1)


def _wider(box: Enclosure, by: Tensor) -> Enclosure:
    return Enclosure(box.lower - by, box.upper + by)
