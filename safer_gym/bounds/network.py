"""Feed-forward networks as plain data: affine maps and functions of their outputs in a row.

Shapes: B batch, I inputs, O outputs of a layer. Bounds are computed in float64, whatever the
dtype of the policy; `unit_roundoff` remembers what the policy itself computes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.bounds.curve import ULPS, Curve
from safer_gym.bounds.standardise import Standardise
from safer_gym.choices import choose

ACTIVATIONS = ("relu", "tanh", "leaky_relu")


class Affine(NamedTuple):
    """x -> weight x + bias."""

    weight: Tensor
    """[O, I]"""
    bias: Tensor
    """[O]"""


class Activation(NamedTuple):
    """An elementwise, non-decreasing function with slopes in [0, 1].

    relu and leaky_relu are max(x, slope x) with 0 <= slope <= 1; relu has slope 0.
    """

    name: str
    slope: float = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        return torch.tanh(x) if self.name == "tanh" else torch.maximum(x, self.slope * x)

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The ends of its values over boxes."""
        return self(low), self(high)

    def error(self, low: Tensor, high: Tensor, unit: float) -> Tensor:
        """|computed - exact| of each value over boxes."""
        size = torch.maximum(low.abs(), high.abs())
        is_exact = self.name != "tanh" and self.slope == 0
        return torch.zeros_like(size) if is_exact else ULPS * unit * size


Layer = Affine | Activation | Curve | Standardise
Layers = Sequence[Layer]


def checked(layer: Layer) -> Layer:
    """The layer itself, if its numbers make sense.

    Raises:
        ValueError: unknown activation, slope outside [0, 1], shapes that do not fit, NaN.
    """
    if isinstance(layer, (Curve, Standardise)):
        return layer
    if isinstance(layer, Activation):
        choose("activation", layer.name, ACTIVATIONS)
        if not 0.0 <= layer.slope <= 1.0:
            raise ValueError(f"slope of {layer.name} must be in [0, 1]; got {layer.slope!r}")
    elif layer.weight.dim() != 2 or layer.bias.shape != layer.weight.shape[:1]:
        raise ValueError(
            "an affine layer needs weight [O, I] and bias [O]; got "
            f"{tuple(layer.weight.shape)} and {tuple(layer.bias.shape)}"
        )
    elif not bool(torch.isfinite(layer.weight).all() and torch.isfinite(layer.bias).all()):
        raise ValueError("the network's weights and biases must be finite")
    return layer


def affine_layers(layers: Layers) -> list[Affine]:
    """The affine ones.

    Raises:
        ValueError: there are none.
    """
    affine = [layer for layer in layers if isinstance(layer, Affine)]
    if not affine:
        raise ValueError("layers must hold at least one affine layer")
    return affine


def in_float64(layers: Layers) -> tuple[Layer, ...]:
    """The same real function, its numbers converted exactly. Checks every layer.

    Raises:
        ValueError: see `checked`; no affine layer; sizes of neighbours that do not fit.
    """
    converted = tuple(
        checked(Affine(layer.weight.detach().double(), layer.bias.detach().double()))
        if isinstance(layer, Affine)
        else checked(layer)
        for layer in layers
    )
    affine = affine_layers(converted)
    for first, second in pairwise(affine):
        if len(first.bias) != second.weight.shape[1]:
            raise ValueError(
                f"a layer of {len(first.bias)} outputs is followed by one of "
                f"{second.weight.shape[1]} inputs"
            )
    return converted


def evaluate(layers: Layers, obs: Tensor) -> Tensor:
    """The network's output [B, O] at obs [B, *I], in the dtype of `obs` and the layers."""
    values = obs.flatten(1)
    for layer in layers:
        if isinstance(layer, Affine):
            values = values @ layer.weight.mT + layer.bias
        else:
            values = layer(values)
    return values


def unit_roundoff(layers: Layers) -> float:
    """Half the distance from 1 to the next number of the dtype that the network computes in."""
    return max(torch.finfo(layer.weight.dtype).eps for layer in affine_layers(layers)) / 2
