"""The operations that a network without branches is made of, by torch's names."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from safer_gym.conformance.loading.chain import (
    Chain,
    batch_norm,
    binary,
    clamp,
    layer_norm,
    linear,
    number,
)

MAX_NUMBERS = 10_000_000


def _elu(alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> nn.Module:
    if scale != 1 or input_scale != 1:
        raise ValueError("an ELU with scales")
    return nn.ELU(alpha)


def _dropout(p: float, training: bool, inplace: bool = False) -> nn.Module:
    if training:
        raise ValueError("dropout in training")
    return nn.Identity()


def _layer_norm(
    shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    fused: bool = True,
) -> nn.Module:
    (size,) = shape
    return layer_norm(size, weight, bias, eps)


def _batch_norm(weight: Any, bias: Any, mean: Any, variance: Any, *rest: Any) -> nn.Module:
    training, _, eps, *_ = rest
    if training or mean is None:
        raise ValueError("a BatchNorm in training")
    return batch_norm(mean, variance, weight, bias, eps)


def _flatten(start: int = 0, end: int = -1) -> nn.Module:
    if (start, end) != (1, -1):
        raise ValueError(f"a flattening from axis {start} to {end}")
    return nn.Flatten()


def _softplus(beta: Any = 1.0, threshold: Any = 20.0) -> nn.Module:
    return nn.Softplus(number(beta, 1.0), number(threshold, 20.0))


STEPS: dict[str, Callable[..., nn.Module]] = {
    "linear": linear,
    "matmul": lambda weight: linear(weight.mT),
    "mm": lambda weight: linear(weight.mT),
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "elu": _elu,
    "celu": nn.CELU,
    "selu": nn.SELU,
    "silu": lambda: nn.SiLU(),
    "mish": lambda: nn.Mish(),
    "gelu": lambda approximate="none": nn.GELU(approximate),
    "leaky_relu": lambda slope=0.01: nn.LeakyReLU(slope),
    "softplus": _softplus,
    "hardtanh": lambda low=-1.0, high=1.0: clamp(low, high),
    "clamp": lambda low=None, high=None: clamp(low, high),
    "clip": lambda low=None, high=None: clamp(low, high),
    "dropout": _dropout,
    "alpha_dropout": _dropout,
    "layer_norm": _layer_norm,
    "batch_norm": _batch_norm,
    "flatten": _flatten,
    "detach": nn.Identity,
    "contiguous": lambda *layout: nn.Identity(),
}
"""By name, from the arguments after the input to a module."""

CONSTANTS: dict[str, Callable[..., Any]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "exp": torch.exp,
    "neg": torch.neg,
    "reciprocal": torch.reciprocal,
    "clamp": torch.clamp,
    "t": torch.t,
    "transpose": torch.transpose,
    "unsqueeze": torch.unsqueeze,
    "squeeze": torch.squeeze,
    "detach": torch.detach,
    "lt": operator.lt,
    "gt": operator.gt,
    "le": operator.le,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
    "__is__": operator.is_,
    "__isnot__": operator.is_not,
    "__not__": operator.not_,
}
"""By name, of numbers and tensors that the file holds."""
_NUMBERS = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv}


def operation(name: str, args: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """The result of torch's `name`. An observation is a row: [B, n] has two axes.

    Raises:
        ValueError: it is none of those in STEPS and CONSTANTS, or branches.
    """
    name = name.removesuffix("_") if not name.endswith("__") else name
    if not any(isinstance(arg, Chain) for arg in args):
        return _constant(name, args, named)
    if name == "dim":
        return 2
    if name in _NUMBERS:
        left, right, *alpha = (*args, *named.values())
        if alpha not in ([], [1]):
            raise ValueError(f"{name} with a factor")
        return binary(name, left, right)
    if name == "rsub":
        return binary("sub", args[1], args[0])
    if name == "addmm":
        bias, chain, weight, *factors = args
        if not isinstance(chain, Chain) or any(factor != 1 for factor in factors):
            raise ValueError("addmm with factors")
        return chain.then(linear(weight.mT, bias))
    if name == "neg":
        return binary("mul", args[0], -1.0)
    if name not in STEPS or not isinstance(args[0], Chain):
        raise ValueError(f"the operation {name}")
    if any(isinstance(arg, Chain) for arg in args[1:]):
        raise ValueError(f"{name} of two branches")
    return args[0].then(STEPS[name](*args[1:], **named))


def _constant(name: str, args: Sequence[Any], named: Mapping[str, Any]) -> Any:
    if name not in CONSTANTS or named not in ({}, {"alpha": 1}):
        raise ValueError(f"the operation {name} of constants")
    tensors = [arg for arg in args if isinstance(arg, Tensor)]
    if tensors:
        shape = torch.broadcast_shapes(*(t.shape for t in tensors))
        if torch.Size(shape).numel() > MAX_NUMBERS:
            raise ValueError("a constant that would fill the memory")
        return CONSTANTS[name](*args)
    return _NUMBERS.get(name, CONSTANTS[name])(*args)
