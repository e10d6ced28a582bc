"""The operations of torch whose range over a box is known: OPERATIONS, by their names."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from safer_gym.shield.ranged import OPERATIONS, NotEnclosedError, Ranged, constant
from safer_gym.shield.span import Span

Rate = Callable[[Span, Span], Span]
"""The derivative, of the argument and of the value."""


def _rising(function: Callable[[Tensor], Tensor], rate: Rate) -> Callable[[Ranged], Ranged]:
    def image(x: Ranged) -> Ranged:
        value = x.value.rising(function)
        return x.through(value, rate(x.value, value))

    return image


def _one_minus(x: Span) -> Span:
    return Span.point(torch.ones_like(x.low)).plus(-x)


def _sigmoid_rate(x: Span, y: Span) -> Span:
    """y (1 - y) = 1/4 - (y - 1/2)^2"""
    half = Span.point(torch.full_like(y.low, 0.5))
    return half.power(2).plus(-y.plus(-half).power(2))


def _sine(x: Ranged) -> Ranged:
    return x.through(_sin(x.value), _cos(x.value))


def _cosine(x: Ranged) -> Ranged:
    return x.through(_cos(x.value), -_sin(x.value))


def _sin(x: Span) -> Span:
    return x.wave(torch.sin, math.pi / 2)


def _cos(x: Span) -> Span:
    return x.wave(torch.cos, 0.0)


def _clamp(x: Ranged, min: float = -math.inf, max: float = math.inf) -> Ranged:
    if not all(isinstance(end, int | float) for end in (min, max)) or min > max:
        raise NotEnclosedError("a clamp to ends that are no numbers")
    value = x.value.map(lambda end: end.clamp(min, max))
    inside = (x.value.high >= min) & (x.value.low <= max)
    whole = (x.value.low > min) & (x.value.high < max)
    return x.through(value, Span(whole.to(x.dtype), inside.to(x.dtype)))


def _relu(x: Ranged, inplace: bool = False) -> Ranged:
    if inplace:
        raise NotEnclosedError("a relu that changes its argument")
    return _clamp(x, 0.0)


def _abs(x: Ranged) -> Ranged:
    low, high = (torch.where(end > 0, 1.0, -1.0).to(x.dtype) for end in (x.value.low, x.value.high))
    high = torch.where(x.value.high >= 0, 1.0, high)
    return x.through(x.value.size(), Span(low, high))


def _axis(x: Ranged, dim: int, more: int = 0) -> int:
    axis = dim % (x.ndim + more)
    if axis == 0:
        raise NotEnclosedError("an operation along the axis of the batch")
    return axis


def _joined(put: Callable[..., Tensor], more: int) -> Callable[..., Ranged]:
    def join(parts: Sequence[Any], dim: int = 0) -> Ranged:
        like = next(part for part in parts if isinstance(part, Ranged))
        axis = _axis(like, dim, more)
        ranged = [part if isinstance(part, Ranged) else constant(part, like) for part in parts]
        if len({part.shape[0] for part in ranged}) > 1:
            raise NotEnclosedError("parts of different batches")
        values, slopes = [p.value for p in ranged], [p.slope for p in ranged]
        return Ranged(
            Span(*(put([value[end] for value in values], axis) for end in (0, 1))),
            Span(*(put([slope[end] for slope in slopes], axis + 1) for end in (0, 1))),
        )

    return join


def _unbind(x: Ranged, dim: int = 0) -> tuple[Ranged, ...]:
    axis = _axis(x, dim)
    return tuple(x.map(partial(torch.select, dim=axis, index=i)) for i in range(x.shape[axis]))


def _sum(x: Ranged, dim: int = 0, keepdim: bool = False) -> Ranged:
    first, *rest = _unbind(x, dim)
    for part in rest:
        first = first + part
    return _unsqueeze(first, _axis(x, dim)) if keepdim else first


def _unsqueeze(x: Ranged, dim: int) -> Ranged:
    axis = _axis(x, dim, 1)
    return x.map(lambda end: end.unsqueeze(axis))


def _squeeze(x: Ranged, dim: int) -> Ranged:
    axis = _axis(x, dim)
    return x.map(lambda end: end.squeeze(axis))


def _linear(x: Ranged, weight: Tensor, bias: Tensor | None = None) -> Ranged:
    found = x @ weight.mT
    return found if bias is None else found + bias


def _either(own: str, reflected: str) -> Callable[[Any, Any], Ranged]:
    """Of two operands one is a range."""

    def operate(a: Any, b: Any) -> Ranged:
        if isinstance(a, Ranged):
            return getattr(a, own)(b)
        if not reflected:
            raise NotEnclosedError(f"{own.strip('_')} of a constant by a range")
        return getattr(b, reflected)(a)

    return operate


_BINARY = {
    ("add", "radd"): _either("__add__", "__radd__"),
    ("sub", "subtract"): _either("__sub__", "__rsub__"),
    ("mul", "multiply", "rmul"): _either("__mul__", "__rmul__"),
    ("div", "divide", "true_divide", "truediv"): _either("__truediv__", "__rtruediv__"),
    ("pow",): _either("__pow__", ""),
    ("matmul",): _either("__matmul__", ""),
}
OPERATIONS.update({name: operate for names, operate in _BINARY.items() for name in names})
OPERATIONS.update(
    {
        "rsub": lambda a, b: _either("__sub__", "__rsub__")(b, a),
        "neg": Ranged.__neg__,
        "square": lambda x: x**2,
        "reciprocal": Ranged.inverse,
        "exp": _rising(torch.exp, lambda x, y: y),
        "log": _rising(torch.log, lambda x, y: x.inverse()),
        "sqrt": _rising(torch.sqrt, lambda x, y: y.plus(y).inverse()),
        "tanh": _rising(torch.tanh, lambda x, y: _one_minus(y.power(2))),
        "sigmoid": _rising(torch.sigmoid, _sigmoid_rate),
        "atan": _rising(torch.atan, lambda x, y: _one_minus(-x.power(2)).inverse()),
        "sin": _sine,
        "cos": _cosine,
        "abs": _abs,
        "relu": _relu,
        "clamp": _clamp,
        "stack": _joined(torch.stack, 1),
        "cat": _joined(torch.cat, 0),
        "unbind": _unbind,
        "sum": _sum,
        "unsqueeze": _unsqueeze,
        "squeeze": _squeeze,
        "linear": _linear,
        "zeros_like": lambda x: torch.zeros(x.shape, dtype=x.dtype),
        "ones_like": lambda x: torch.ones(x.shape, dtype=x.dtype),
    }
)
