"""Interval bounds: each layer's output box from its input box (IBP). Fast and loose."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.bounds.network import Affine, Layer


class Enclosure(NamedTuple):
    """A box that holds a function's values over a set, one for each row of a batch."""

    lower: Tensor
    """[B, A]"""
    upper: Tensor
    """[B, A]"""


def meet(a: Enclosure, b: Enclosure) -> Enclosure:
    """The box of what lies in both."""
    return Enclosure(torch.maximum(a.lower, b.lower), torch.minimum(a.upper, b.upper))


def interval_step(layer: Layer, box: Enclosure) -> Enclosure:
    """The image of a box [B, I] under one layer, as a box [B, O]. Tight for one layer."""
    if not isinstance(layer, Affine):
        return Enclosure(*layer.image(*box))
    middle, half = (box.lower + box.upper) / 2, (box.upper - box.lower) / 2
    centre = middle @ layer.weight.mT + layer.bias
    spread = half @ layer.weight.abs().mT
    return Enclosure(centre - spread, centre + spread)
