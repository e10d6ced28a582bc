"""How far one layer's own floating-point result may lie from its exact value.

The standard model: a sum of n products has an error of at most gamma_n times the sum of their
absolute values, gamma_n = n u / (1 - n u), in whatever order it is added, fused or not (Higham,
Accuracy and Stability of Numerical Algorithms, section 3.1). Adding an exact zero costs nothing, so
inputs that are zero on the whole box do not count. It does not hold for reduced precision inside
a product, such as TF32.
"""

from __future__ import annotations

import torch
from torch import Tensor

from safer_gym.bounds.interval import Enclosure
from safer_gym.bounds.network import Affine, Layer


def layer_error(layer: Layer, box: Enclosure, unit: float) -> Tensor:
    """A bound [B, O], or [O], of |computed - exact| of one layer over its box [B, I].

    Args:
        layer: in float64.
        box: what the layer's computed input lies in.
        unit: unit roundoff of the dtype that the layer is computed in; 0 is exact arithmetic.
    """
    if not isinstance(layer, Affine):
        return layer.error(*box, unit)
    if unit == 0.0:
        return torch.zeros_like(layer.bias)
    size = torch.maximum(box.lower.abs(), box.upper.abs())
    terms = (size > 0).sum(-1, keepdim=True) + 1
    gamma = terms * unit / (1 - terms * unit)
    return gamma * (size @ layer.weight.abs().mT + layer.bias.abs())
