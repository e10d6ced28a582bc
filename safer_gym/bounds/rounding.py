"""How far a network's own floating-point result may lie from its exact value.

The standard model: a sum of n products has an error of at most gamma_n times the sum of their
absolute values, gamma_n = n u / (1 - n u), in whatever order it is added, fused or not (Higham,
Accuracy and Stability of Numerical Algorithms, section 3.1). It does not hold for reduced
precision inside a product, such as TF32.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from safer_gym.bounds.interval import Enclosure
from safer_gym.bounds.network import Affine, Layers

_ULPS = 4.0
"""Errors of elementary functions, in units of round-off; libraries promise one or two."""


def rounding_error(layers: Layers, boxes: Sequence[Enclosure], unit: float) -> Tensor:
    """A bound [B, A] of |computed - exact| for every input of the first box.

    Args:
        layers: the network in float64.
        boxes: what each layer's input lies in, one for each layer.
        unit: unit roundoff of the policy's dtype. The cast of an observation to that dtype counts.
    """
    error = unit * _largest(boxes[0])
    for layer, box in zip(layers, boxes, strict=True):
        size = _largest(box) + error
        if isinstance(layer, Affine):
            terms = layer.weight.shape[1] + 1
            gamma = terms * unit / (1 - terms * unit)
            weight = layer.weight.abs().mT
            error = error @ weight + gamma * (size @ weight + layer.bias.abs())
        else:
            error = error + _ULPS * unit * size
    return error


def _largest(box: Enclosure) -> Tensor:
    return torch.maximum(box.lower.abs(), box.upper.abs())
