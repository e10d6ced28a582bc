"""Cutting a large region in halves: each half has straighter lines, and their boxes are joined.

Worth its time only where units bend inside the region; `bend` says how much they do.
"""

from __future__ import annotations

import torch
from torch import Tensor

from safer_gym.bounds.crown import crown
from safer_gym.bounds.interval import Enclosure, interval_step, meet
from safer_gym.bounds.network import Affine, Layers
from safer_gym.bounds.region import Region
from safer_gym.bounds.relaxations import relax


def crown_of_cuts(layers: Layers, region: Region, unit: float, cuts: int) -> Enclosure:
    """`crown` of 2^cuts pieces of the region, joined, and intersected with that of the whole.

    The middles of the inputs that move the first layer most are cut, one after the other.
    """
    whole = crown(layers, region, unit)
    if cuts == 0:
        return whole
    weight = next(layer.weight for layer in layers if isinstance(layer, Affine))
    inputs = (weight.abs().sum(0) * region.eps).argsort(descending=True)[:cuts]
    boxes = [crown(layers, piece, unit) for piece in _pieces(region, inputs.tolist())]
    lower, upper = (torch.stack(ends) for ends in zip(*boxes, strict=True))
    return meet(whole, Enclosure(lower.amin(0), upper.amax(0)))


def _pieces(region: Region, inputs: list[int]) -> list[Region]:
    pieces = [region]
    for index in inputs:
        pieces = [half for piece in pieces for half in _halves(piece, index)]
    return pieces


def _halves(region: Region, index: int) -> tuple[Region, Region]:
    middle = (region.low[:, index] + region.high[:, index]) / 2
    low, high = region.low.clone(), region.high.clone()
    low[:, index], high[:, index] = middle, middle
    return region._replace(high=high), region._replace(low=low)


def bend(layers: Layers, region: Region) -> Tensor:
    """How much the first activation bends over the region, [B]: 0 where it is straight.

    The mean gap between its two lines, over the mean width of its outputs. A ReLU that straddles
    zero evenly counts as 1/4.
    """
    box = region.box
    for layer in layers:
        if not isinstance(layer, Affine):
            lines, after = relax(layer, box), interval_step(layer, box)
            middle = (box.lower + box.upper) / 2
            gap = (lines.upper_slope - lines.lower_slope) * middle
            gap = gap + lines.upper_offset - lines.lower_offset
            return gap.mean(-1) / (after.upper - after.lower).mean(-1).clamp(min=1e-9)
        box = interval_step(layer, box)
    return torch.zeros_like(region.center[:, 0])
