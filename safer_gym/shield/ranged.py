"""What a function written in torch does over boxes: ranges of its values and of its derivatives.

A `Ranged` stands where the function expects a tensor. It answers the operations of OPERATIONS by
interval arithmetic, to the value and, by the rules of the derivative, to the slope. Any other
operation, a comparison or a branch raises: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor

from safer_gym.shield.span import Span, linear

OPERATIONS: dict[str, Callable[..., Any]] = {}
"""By torch's names; filled by `operations`."""


class NotEnclosedError(ValueError):
    """The function does something whose range is not known."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the function cannot be enclosed: it uses {what}; a model z' = f(z, u) of tensors z "
            f"[B, K] and u [B, M] may use z[..., i], and of torch {', '.join(sorted(OPERATIONS))}"
        )


class Ranged:
    """Values in intervals [B, *S], with derivatives by each of N inputs in intervals [N, B, *S].

    Args:
        value: where the values lie.
        slope: where the derivatives lie; where there is a kink, both sides count.
    """

    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Span, slope: Span) -> None:
        self.value, self.slope = value, slope

    @property
    def shape(self) -> torch.Size:
        """As a tensor's."""
        return self.value.low.shape

    @property
    def dtype(self) -> torch.dtype:
        """As a tensor's."""
        return self.value.low.dtype

    @property
    def ndim(self) -> int:
        """As a tensor's."""
        return len(self.shape)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__
        if name.startswith("__"):  # an operator; names that end in "_" change their argument
            name = name.strip("_")
        if name not in OPERATIONS:
            raise NotEnclosedError(f"torch's {name}")
        return OPERATIONS[name](*args, **(kwargs or {}))

    def __getattr__(self, name: str) -> Any:
        if name not in OPERATIONS:
            raise AttributeError(f"{name} of a range")
        return lambda *args, **kwargs: OPERATIONS[name](self, *args, **kwargs)

    def __getitem__(self, index: Any) -> Ranged:
        return self.map(_kept(index))

    def map(self, change: Callable[[Tensor], Tensor]) -> Ranged:
        """Another shape; `change` must leave the leading axes alone."""
        value = self.value.map(change)
        if not value.low.ndim or len(value.low) != self.shape[0]:
            raise NotEnclosedError("an index or a shape that mixes rows of the batch")
        return Ranged(value, self.slope.map(lambda end: _each(change, end)))

    def __neg__(self) -> Ranged:
        return Ranged(-self.value, -self.slope)

    def __add__(self, other: Any) -> Ranged:
        other = _beside(self, other)
        return Ranged(self.value.plus(other.value), self.slope.plus(other.slope))

    def __mul__(self, other: Any) -> Ranged:
        other = _beside(self, other)
        one, two = (x.slope.times(_wide(y.value)) for x, y in ((self, other), (other, self)))
        return Ranged(self.value.times(other.value), one.plus(two))

    def __sub__(self, other: Any) -> Ranged:
        return self + -other

    def __rsub__(self, other: Any) -> Ranged:
        return -self + other

    def __truediv__(self, other: Any) -> Ranged:
        return self * _beside(self, other).inverse()

    def __rtruediv__(self, other: Any) -> Ranged:
        return self.inverse() * other

    def __pow__(self, n: Any) -> Ranged:
        if not isinstance(n, int) or isinstance(n, bool):
            raise NotEnclosedError(f"the power {n!r}")
        if n < 0:
            return (self**-n).inverse()
        rate = self.value.power(max(n - 1, 0))
        times = Span.point(torch.full_like(rate.low, n))
        return self.through(self.value.power(n), rate.times(times))

    def __matmul__(self, matrix: Any) -> Ranged:
        if not isinstance(matrix, Tensor) or matrix.ndim != 2 or self.ndim < 2:
            raise NotEnclosedError("a product that is not one with a constant matrix on the right")
        matrix = matrix.detach().double()
        return Ranged(linear(self.value, matrix), linear(self.slope, matrix))

    __radd__, __rmul__ = __add__, __mul__

    def inverse(self) -> Ranged:
        """1 / x"""
        value = self.value.inverse()
        return self.through(value, -value.power(2))

    def through(self, value: Span, rate: Span) -> Ranged:
        """The image under a function, of which value and derivative are given."""
        return Ranged(value, self.slope.times(_wide(rate)))

    def _refuse(self, *_: Any) -> NoReturn:
        raise NotEnclosedError("a comparison or a branch on a value")

    __bool__ = __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = _refuse
    __eq__ = __ne__ = _refuse


def inputs(low: Tensor, high: Tensor, *, slopes: bool) -> Ranged:
    """The inputs [B, N] of a function, with derivatives by themselves or by nothing."""
    n = low.shape[1]
    eye = torch.eye(n, dtype=low.dtype).unsqueeze(1).expand(n, len(low), n)
    return Ranged(Span(low, high), Span.point(eye if slopes else eye[:0]))


def constant(value: Any, like: Ranged) -> Ranged:
    """A number or a tensor beside a range, with no slope."""
    if not isinstance(value, Tensor | int | float) or isinstance(value, bool):
        raise NotEnclosedError(f"an operand of type {type(value).__name__}")
    tensor = torch.as_tensor(value, dtype=like.dtype).detach()
    if tensor.ndim > like.ndim:
        raise NotEnclosedError(f"a constant of {tensor.ndim} axes beside {like.ndim}")
    tensor = tensor.reshape(*(1,) * (like.ndim - tensor.ndim), *tensor.shape)
    slope = tensor.new_zeros(len(like.slope.low), *tensor.shape)
    return Ranged(Span.point(tensor), Span.point(slope))


def _beside(a: Ranged, other: Any) -> Ranged:
    """Another operand of the same rank."""
    if not isinstance(other, Ranged):
        return constant(other, a)
    if other.ndim != a.ndim:
        raise NotEnclosedError(f"operands of {a.ndim} and {other.ndim} axes")
    return other


def _wide(value: Span) -> Span:
    return value.map(lambda end: end.unsqueeze(0))


def _each(change: Callable[[Tensor], Tensor], slopes: Tensor) -> Tensor:
    """A change of shape of each of N slopes [N, B, *S]."""
    n, batch = slopes.shape[:2]
    moved = change(slopes.flatten(0, 1))
    return moved.reshape(n, batch, *moved.shape[1:])


def _kept(index: Any) -> Callable[[Tensor], Tensor]:
    """An index that leaves the batch alone: [..., i], or [:, i]."""
    parts = index if isinstance(index, tuple) else (index,)
    plain = all(isinstance(part, int | slice) or part in (None, Ellipsis) for part in parts)
    if not plain or not (parts[0] is Ellipsis or parts[0] == slice(None)):
        raise NotEnclosedError(f"the index {index!r}; write z[..., i]")
    return lambda end: end[index]
