"""The layers of torch modules: MODULES says which are read, and how. Any other is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from safer_gym.bounds import curves
from safer_gym.bounds.errors import NotCoveredError
from safer_gym.bounds.network import Activation, Affine, Layer, checked
from safer_gym.bounds.standardise import Standardise
from safer_gym.elementwise import Elementwise

_LIBRARIES = ("torch", "stable_baselines3", "sb3_contrib", "safer_gym")
_GLOBAL_HOOKS = (torch_module._global_forward_hooks, torch_module._global_forward_pre_hooks)


def sequential_layers(modules: nn.Module | Iterable[nn.Module]) -> tuple[Layer, ...]:
    """The layers of a torch module, or of several in a row; no gradient reaches its weights.

    Understands Sequential and the modules in `MODULES`.

    Raises:
        NotCoveredError: any other module, names it; dropout or batch statistics in training.
    """
    return tuple(
        Affine(*(part.detach() for part in layer)) if isinstance(layer, Affine) else layer
        for layer in live_layers(modules)
    )


def live_layers(modules: nn.Module | Iterable[nn.Module]) -> tuple[Layer, ...]:
    """As `sequential_layers`, but gradients reach the weights of Linear modules.

    Raises:
        NotCoveredError: the same.
    """
    if isinstance(modules, nn.Module):
        modules = [modules]
    layers = tuple(layer for module in modules for layer in _layers_of(module))
    kinds = {layer.weight.dtype for layer in layers if isinstance(layer, Affine)}
    # A LayerNorm without weights has no dtype of its own: the network computes in the coarsest.
    coarsest = max(kinds, key=lambda kind: torch.finfo(kind).eps, default=None)
    return tuple(
        Affine(*(part.to(coarsest) for part in layer)) if isinstance(layer, Affine) else layer
        for layer in layers
    )


def _layers_of(module: nn.Module) -> tuple[Layer, ...]:
    _check_plain(module)
    if type(module) is nn.Sequential:
        return live_layers(iter(module))  # `children` gives a shared module only once
    if type(module) in MODULES:
        return tuple(checked(layer) for layer in MODULES[type(module)](module))
    if type(module).__name__ == "BatchRenorm1d" and type(module).__module__.startswith("sb3_"):
        return _batch_renorm(module)
    raise NotCoveredError(
        f"the layer {type(module).__name__}",
        f"networks may consist of {', '.join(kind.__name__ for kind in MODULES)}",
    )


def _check_plain(module: nn.Module) -> None:
    """A hook, or a `forward` of its own, may do anything."""
    hooks = [module._forward_hooks, module._forward_pre_hooks, *_GLOBAL_HOOKS]
    if any(hooks) or replaced_method(module):
        raise NotCoveredError(
            f"a {type(module).__name__} with hooks, or with a forward of its own",
            "what they do is not known",
        )


def replaced_method(module: nn.Module) -> str:
    """A method that is not the one its class was written with: set on the module itself, or on a
    class of torch or of a library of agents; "" where there is none."""
    kind = type(module)
    own = (n for n, v in vars(module).items() if callable(v) and callable(getattr(kind, n, None)))
    bases = [vars(base) for base in kind.__mro__ if _root(base) in _LIBRARIES]
    of_class = (n for base in bases for n, v in base.items() if _is_foreign(v))
    return next(itertools.chain(own, of_class), "")


def _is_foreign(method: Any) -> bool:
    return isinstance(method, FunctionType) and _root(method) not in _LIBRARIES


def _root(thing: Any) -> str:
    return str(thing.__module__).partition(".")[0]


def _linear(module: Any) -> list[Layer]:
    weight, bias = module.weight, module.bias
    return [Affine(weight, torch.zeros_like(weight[:, 0]) if bias is None else bias)]


def _elementwise(module: Any) -> list[Layer]:
    amount, none = module.amount.detach(), torch.zeros_like(module.amount)
    if amount.dim() == 0:
        raise NotCoveredError("this Elementwise", "it must have a number for each entry")
    if module.operation in ("multiply", "divide"):
        scale = amount if module.operation == "multiply" else 1 / amount
        return [Affine(torch.diag(scale), none)]
    shift = amount if module.operation == "add" else -amount
    return [Affine(torch.eye(len(amount), dtype=amount.dtype), shift)]


def _gelu(module: Any) -> list[Layer]:
    return [curves.TANH_GELU if module.approximate == "tanh" else curves.GELU]


def _not_in_training(module: Any) -> None:
    if module.training:
        name = type(module).__name__
        raise NotCoveredError(f"a {name} in training", "put the policy into evaluation mode first")


def _dropout(module: Any) -> list[Layer]:
    _not_in_training(module)
    return []


def _layer_norm(module: Any) -> list[Layer]:
    if len(module.normalized_shape) != 1 or not module.eps > 0:
        raise NotCoveredError("this LayerNorm", "it must go over one axis, with a positive eps")
    (n,), weight, bias = module.normalized_shape, module.weight, module.bias
    ones = torch.ones(n, dtype=torch.float64 if weight is None else weight.dtype)
    mean = (ones / n).unsqueeze(0)
    centred = torch.cat([torch.diag(ones) - mean, mean])
    scale = ones if weight is None else weight.detach()
    shift = torch.zeros_like(ones) if bias is None else bias.detach()
    scaled = torch.cat([torch.diag(scale), torch.zeros_like(mean.mT)], dim=1)
    return [
        Affine(centred, torch.zeros_like(centred[:, 0])),
        Standardise(module.eps),
        Affine(scaled, shift),
    ]


def _batch_norm(module: Any) -> list[Layer]:
    _not_in_training(module)
    if module.running_mean is None:
        raise NotCoveredError("a BatchNorm1d without running statistics", "it reads other rows")
    mean, variance = module.running_mean.detach(), module.running_var.detach()
    affine = (module.weight.detach(), module.bias.detach()) if module.affine else None
    return _normalisation(mean, variance + module.eps, affine)


def _batch_renorm(module: Any) -> tuple[Layer, ...]:
    _not_in_training(module)
    mean, variance = module.ra_mean.detach(), module.ra_var.detach()
    affine = (module.scale.detach(), module.bias.detach()) if module.affine else None
    return tuple(_normalisation(mean, variance + module.eps, affine))


def _normalisation(
    mean: Tensor, variance: Tensor, affine: tuple[Tensor, Tensor] | None
) -> list[Layer]:
    """(x - mean) / deviation * scale + bias, one affine layer an operation: each bounds the
    round-off of its own."""
    none = torch.zeros_like(mean)
    layers = [(torch.ones_like(mean), -mean), (1 / variance.sqrt(), none)]
    layers += [] if affine is None else [affine]
    return [Affine(torch.diag(weight), bias) for weight, bias in layers]


MODULES: dict[type[nn.Module], Callable[[Any], list[Layer]]] = {
    nn.Linear: _linear,
    Elementwise: _elementwise,
    nn.ReLU: lambda m: [Activation("relu")],
    nn.LeakyReLU: lambda m: [Activation("leaky_relu", m.negative_slope)],
    nn.Tanh: lambda m: [Activation("tanh")],
    nn.ELU: lambda m: [curves.elu(m.alpha)],
    nn.CELU: lambda m: [curves.celu(m.alpha)],
    nn.SELU: lambda m: [curves.SELU],
    nn.SiLU: lambda m: [curves.SILU],
    nn.GELU: _gelu,
    nn.Mish: lambda m: [curves.MISH],
    nn.Sigmoid: lambda m: [curves.SIGMOID],
    nn.Softplus: lambda m: [curves.softplus(m.beta, m.threshold)],
    nn.Softsign: lambda m: [curves.SOFTSIGN],
    nn.Hardtanh: lambda m: [curves.hardtanh(m.min_val, m.max_val)],
    nn.ReLU6: lambda m: [curves.hardtanh(0.0, 6.0)],
    nn.LayerNorm: _layer_norm,
    nn.BatchNorm1d: _batch_norm,
    nn.Dropout: _dropout,
    nn.AlphaDropout: _dropout,
    nn.Identity: lambda m: [],
    nn.Flatten: lambda m: [],
}
