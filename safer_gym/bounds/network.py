"""Feed-forward networks as plain data: affine maps and elementwise functions in a row.

Shapes: B batch, I inputs, O outputs of a layer. Bounds are computed in float64, whatever the
dtype of the policy; `unit_roundoff` remembers what the policy itself computes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from safer_gym.bounds.errors import NotCoveredError
from safer_gym.choices import choose

_GLOBAL_HOOKS = (torch_module._global_forward_hooks, torch_module._global_forward_pre_hooks)
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


Layer = Affine | Activation
Layers = Sequence[Layer]


def sequential_layers(modules: nn.Module | Iterable[nn.Module]) -> tuple[Layer, ...]:
    """The layers of a torch module, or of several in a row.

    Understands Sequential, Linear, ReLU, LeakyReLU, Tanh, Flatten and Identity; outside of training
    also Dropout, which does nothing there, and CrossQ's BatchRenorm1d, which is affine.

    Raises:
        NotCoveredError: any other module; names it.
    """
    if isinstance(modules, nn.Module):
        modules = [modules]
    return tuple(layer for module in modules for layer in _layers_of(module))


def _layers_of(module: nn.Module) -> tuple[Layer, ...]:
    _check_plain(module)
    if type(module) is nn.Sequential:
        return sequential_layers(module.children())
    if type(module) is nn.Linear:
        weight = module.weight.detach()
        bias = torch.zeros_like(weight[:, 0]) if module.bias is None else module.bias.detach()
        return (Affine(weight, bias),)
    if type(module) is nn.LeakyReLU:
        return (checked(Activation("leaky_relu", module.negative_slope)),)
    if type(module) is nn.ReLU:
        return (Activation("relu"),)
    if type(module) is nn.Tanh:
        return (Activation("tanh"),)
    if type(module) in (nn.Identity, nn.Flatten):
        return ()
    if type(module) is nn.Dropout and not module.training:
        return ()
    if type(module).__name__ == "BatchRenorm1d" and type(module).__module__.startswith("sb3_"):
        if module.training:
            raise NotCoveredError(
                "a BatchRenorm1d in training", "call policy.set_training_mode(False) first"
            )
        return _normalisation(module)
    raise NotCoveredError(
        f"the layer {type(module).__name__}",
        "networks may consist of Linear, ReLU, LeakyReLU, Tanh, Flatten and Identity",
    )


def _check_plain(module: nn.Module) -> None:
    """A hook, or a `forward` of its own, may do anything."""
    hooks = [module._forward_hooks, module._forward_pre_hooks, *_GLOBAL_HOOKS]
    if any(hooks) or "forward" in vars(module):
        raise NotCoveredError(
            f"a {type(module).__name__} with hooks, or with a forward of its own",
            "what they do is not known",
        )


def _normalisation(module: Any) -> tuple[Layer, ...]:
    """(x - mean) / deviation * scale + bias, one affine layer an operation: each bounds the
    round-off of its own."""
    mean, deviation = module.ra_mean.detach(), (module.ra_var.detach() + module.eps).sqrt()
    none = torch.zeros_like(mean)
    layers = (Affine(torch.ones_like(mean), -mean), Affine(1 / deviation, none))
    if module.affine:
        layers += (Affine(module.scale.detach(), module.bias.detach()),)  # type: ignore[assignment]
    return tuple(Affine(torch.diag(layer.weight), layer.bias) for layer in layers)


def checked(layer: Layer) -> Layer:
    """The layer itself, if its numbers make sense.

    Raises:
        ValueError: unknown activation, slope outside [0, 1], shapes that do not fit, NaN.
    """
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
        raise ValueError("weights and biases must be finite")
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
        checked(layer)
        if isinstance(layer, Activation)
        else checked(Affine(layer.weight.detach().double(), layer.bias.detach().double()))
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
