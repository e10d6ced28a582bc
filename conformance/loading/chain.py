"""A network without branches, built from the steps that a graph in a file describes.

What is built consists of the modules of `safer_gym.bounds.MODULES`, so that it has gradients and
bounds. A step that is not among STEPS, or a branch, is refused: the file is then no data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from safer_gym.bounds import MODULES
from safer_gym.elementwise import Elementwise


class Chain:
    """What an observation has become after some steps.

    Args:
        modules: the steps so far.
    """

    def __init__(self, modules: Sequence[nn.Module] = ()) -> None:
        self.modules = tuple(modules)

    def then(self, *modules: nn.Module) -> Chain:
        """After further steps."""
        return Chain((*self.modules, *modules))

    def network(self) -> nn.Sequential:
        """The network from the observation to here, in evaluation mode.

        Raises:
            ValueError: it has no weights, or its widths do not fit.
        """
        unknown = [type(m).__name__ for m in self.modules if type(m) not in MODULES]
        if unknown:
            raise ValueError(f"the operation {unknown[0]}")
        widths = _widths(self.modules)
        kinds = {m.weight.dtype for m in self.modules if isinstance(m, nn.Linear)}
        if len(kinds) != 1:
            raise ValueError("its weights are of several kinds of numbers")
        parts = [_wide(m, n, *kinds) for m, n in zip(self.modules, widths, strict=True)]
        return nn.Sequential(*parts).requires_grad_(False).eval()


def _widths(modules: Sequence[nn.Module]) -> list[int]:
    """How many numbers each module reads. Only Linear changes it."""
    linear = [m for m in modules if isinstance(m, nn.Linear)]
    if not linear:
        raise ValueError("it has no weights")
    width, widths = linear[0].in_features, []
    for module in modules:
        widths.append(width)
        if getattr(module, "in_features", width) != width:
            raise ValueError(
                f"a layer of {width} outputs before one of {module.in_features} inputs"
            )
        width = module.out_features if isinstance(module, nn.Linear) else width
    return widths


def _wide(module: nn.Module, width: int, kind: torch.dtype) -> nn.Module:
    if isinstance(module, Elementwise):
        amount = module.amount.to(kind)  # as torch does with single numbers
        if amount.numel() not in (1, width):
            raise ValueError(f"{amount.numel()} numbers beside {width} entries")
        return Elementwise(module.operation, amount.expand(width))
    if isinstance(module, nn.LayerNorm) and module.normalized_shape != (width,):
        raise ValueError(f"a LayerNorm of {module.normalized_shape} over {width} entries")
    if isinstance(module, nn.BatchNorm1d) and module.num_features != width:
        raise ValueError(f"a BatchNorm of {module.num_features} over {width} entries")
    return module


def linear(weight: Tensor, bias: Tensor | None = None) -> nn.Module:
    """x -> x weight^T + bias, with weight [O, I]."""
    if weight.dim() != 2 or not weight.is_floating_point():
        raise ValueError(f"weights of shape {tuple(weight.shape)} and kind {weight.dtype}")
    outputs, inputs = weight.shape
    made = nn.utils.skip_init(nn.Linear, inputs, outputs, dtype=weight.dtype, bias=bias is not None)
    made.weight.data = weight  # no copy: a file may use one tensor in many layers
    if bias is not None:
        if bias.numel() != outputs:
            raise ValueError(f"{bias.numel()} biases of {outputs} outputs")
        made.bias.data = bias.reshape(-1).to(weight.dtype)
    return made


def elementwise(operation: str, amount: Any) -> nn.Module:
    """With a number, or with one for each entry."""
    value = torch.as_tensor(amount, dtype=torch.float32 if _is_number(amount) else None)
    if value.dim() > 1 and value.numel() != value.shape[-1]:
        raise ValueError(f"numbers of shape {tuple(value.shape)} beside a row")
    return Elementwise(operation, value.reshape(-1) if value.numel() > 1 else value.reshape(()))


def clamp(low: Any, high: Any) -> nn.Module:
    """Cut to [low, high]."""
    low, high = number(low, -math.inf), number(high, math.inf)
    if low == 0.0 and high == math.inf:
        return nn.ReLU()
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"a cut to [{low}, {high}]")
    return nn.Hardtanh(low, high)


def layer_norm(size: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> nn.Module:
    """Over one axis of `size` entries."""
    given = [value for value in (weight, bias) if value is not None]
    if any(value.numel() != size for value in given) or (bias is not None and weight is None):
        raise ValueError(f"a LayerNorm over {size} entries with other weights")
    made = nn.LayerNorm(size, eps, elementwise_affine=weight is not None, bias=bias is not None)
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None:
            getattr(made, name).data = value.reshape(-1)
    return made


def batch_norm(
    mean: Tensor, variance: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> nn.Module:
    """With the statistics that it has."""
    size = mean.numel()
    parts = [part for part in (variance, weight, bias) if part is not None]
    if any(part.numel() != size for part in parts) or (weight is None) != (bias is None):
        raise ValueError("a BatchNorm of sizes that differ")
    made = nn.BatchNorm1d(size, eps, affine=weight is not None).to(mean.dtype)
    made.running_mean, made.running_var = mean.clone(), variance.clone()
    if weight is not None and bias is not None:
        made.weight.data, made.bias.data = weight.clone(), bias.clone()
    return made


def number(value: Any, otherwise: float) -> float:
    """A number, out of a tensor too; `otherwise` where there is none."""
    if value is None:
        return otherwise
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value)
    if not _is_number(value):
        raise ValueError(f"a {type(value).__name__} where a number was expected")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def of_width(width: int) -> nn.Module:
    """Nothing, and a claim of how many entries there are."""
    made = nn.Identity()
    made.in_features = width  # type: ignore[assignment]
    return made


class Erf(nn.Module):
    """A part of GELU, which exporters take apart."""


def _joined(name: str, short: Chain, long: Chain) -> Chain:
    """x times a function of x, where that is an activation that an exporter took apart."""
    more: tuple[Any, ...] = long.modules[len(short.modules) :]
    is_branch = any(a is not b for a, b in zip(short.modules, long.modules, strict=False))
    if name == "mul" and not is_branch:
        kinds = tuple(type(module) for module in more)
        if kinds == (nn.Sigmoid,):
            return short.then(nn.SiLU())
        if kinds == (nn.Softplus, nn.Tanh) and (more[0].beta, more[0].threshold) == (1.0, 20.0):
            return short.then(nn.Mish())
        if kinds == (Elementwise, Erf, Elementwise) and _is_gelu(more[0], more[2]):
            return short.then(nn.GELU(), elementwise("multiply", 2.0))  # to be halved
    raise ValueError(f"{name} of two branches")


def _is_gelu(divided: Any, added: Any) -> bool:
    """Whether erf stands between a division by sqrt(2) and an addition of 1."""
    if (divided.operation, added.operation) != ("divide", "add"):
        return False
    root, one = divided.amount, added.amount
    return root.dim() == one.dim() == 0 and abs(float(root) - 2**0.5) < 1e-6 and float(one) == 1.0


BINARY: dict[str, Callable[[Any, Any], Sequence[nn.Module]]] = {
    "add": lambda chain, other: [elementwise("add", other)],
    "sub": lambda chain, other: [elementwise("subtract", other)],
    "mul": lambda chain, other: [elementwise("multiply", other)],
    "div": lambda chain, other: [elementwise("divide", other)],
}


def binary(name: str, left: Any, right: Any) -> Chain:
    """add, sub, mul or div of a chain and numbers, in either order.

    Raises:
        ValueError: two chains, which is a branch; or numbers over a chain.
    """
    if isinstance(left, Chain) and isinstance(right, Chain):
        return _joined(name, *sorted((left, right), key=lambda chain: len(chain.modules)))
    if isinstance(left, Chain):
        return left.then(*BINARY[name](left, right))
    if name in ("add", "mul"):
        return right.then(*BINARY[name](right, left))
    if name == "sub":
        return right.then(elementwise("multiply", -1.0), elementwise("add", left))
    raise ValueError("numbers divided by a network's output")
