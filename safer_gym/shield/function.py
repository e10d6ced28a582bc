"""A model that is the user's own function, z' = f(z, u) + [low, high], and what holds of it.

Over a box of states and actions f is enclosed in the mean value form: f of the middle, plus every
derivative in the box times the way from the middle. It is sound for a function that follows from
its arguments alone, is built from `operations`, and whose derivatives are bounded; elsewhere the
enclosure has no ends. What a mode's linear part leaves over is added to its error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from safer_gym.shield import operations as operations
from safer_gym.shield.box import ROUNDING, UP, Box
from safer_gym.shield.ranged import NotEnclosedError, Ranged, inputs
from safer_gym.shield.span import TINY, Span

Call = Callable[[Any, Any], Any]
"""States [B, K] and actions [B, M] to the next states [B, K], in float64, row by row."""
ENDLESS = 1e30
"""Stands for infinity where it is multiplied by numbers that may be zero."""
CELLS = 4096
"""Of a domain, about."""
PROBES = 16
"""Points at which a saved function is told from another."""
_SAME = 1e-9
"""Apart from rounding, a value on ranges of no width is that on tensors."""


class NoFunctionError(ValueError):
    """The model is a function that a file only names."""

    def __init__(self, function: Function) -> None:
        super().__init__(
            f"the shield's model is {function}, of which files hold no code: give it (model=...), "
            "or import what is named, which runs its module (trust=True, --trust)"
        )


class Enclosed(NamedTuple):
    """f over boxes of N = K + M arguments."""

    middle: Tensor
    """[B, N]"""
    half: Tensor
    """Half of each width [B, N]."""
    at: Span
    """f of the middle [B, K]."""
    slope: Span
    """Every derivative in the box [N, B, K]."""

    def beyond(self, A: Tensor, B: Tensor, c: Tensor) -> Box:
        """What f adds to A z + B u + c in each box [B, K]."""
        matrix = torch.cat([A, B], 1)
        rate = self.slope.plus(Span.point(-matrix.mT.unsqueeze(1))).size().high
        spread = (rate * self.half.mT.unsqueeze(2)).sum(0).nan_to_num(nan=torch.inf)
        linear = self.middle @ matrix.mT + c
        terms = self.middle.abs() @ matrix.abs().mT + c.abs() + self.at.size().high + spread
        wide = spread + ROUNDING * terms + TINY
        low, high = self.at.low - linear - wide, self.at.high - linear + wide
        return Box(low.clamp(min=-ENDLESS), high.clamp(max=ENDLESS))


@dataclass(frozen=True, eq=False)
class Function:
    """The user's function, or only its name.

    Args:
        call: the function; None where a file names it and nobody has given it yet.
        name: "module:function" where it can be imported so, else "".
        points, values: what it is told by, arguments [P, N] and values [P, K].
    """

    call: Call | None
    name: str
    points: Tensor
    values: Tensor

    @classmethod
    def of(cls, call: Call, domain: Box, actions: Box) -> Function:
        """Look at a function on boxes of states [1, K] and actions [1, M].

        Raises:
            TypeError: not callable.
            ValueError: it cannot be enclosed, its values are not finite, or it says something else
                of ranges than of tensors.
        """
        if not callable(call):
            raise TypeError(f"model must be a function f(z, u), got {type(call).__name__}")
        low, high = (torch.cat(pair, 1) for pair in zip(domain, actions, strict=True))
        share = torch.rand(PROBES, low.shape[1], generator=torch.Generator().manual_seed(0))
        points = low + share.double() * (high - low)
        bare = cls(call, _name_of(call), points, points[:, : domain.low.shape[1]])
        found = replace(bare, values=bare.at(points))
        at = found.over(*(Box(p, p) for p in found.parts(points))).at
        apart = (found.values < at.low - _SAME) | (found.values > at.high + _SAME)
        if bool(apart.any()):
            where = points[int(apart.any(1).double().argmax())].tolist()
            raise ValueError(f"model must say of ranges what it says of tensors; not so at {where}")
        return found

    def given(self, call: Call) -> Function:
        """With the function that was only named.

        Raises:
            ValueError: another function, by its values.
        """
        found = replace(self, call=call)
        if not torch.allclose(found.at(self.points), self.values, rtol=1e-9, atol=1e-12):
            raise ValueError(f"model must be {self}; what was given has other values")
        return found

    def to_json(self) -> dict[str, Any]:
        """What tells it from others: code is no part of a file."""
        told = {"points": self.points.tolist(), "values": self.values.tolist()}
        return {"name": self.name, **told}

    def __str__(self) -> str:
        return f"the function {self.name}" if self.name else "the function it was fitted with"

    def __call__(self, z: Tensor, u: Tensor) -> Tensor:
        """f of states [B, K] and actions [B, M]."""
        if self.call is None:
            raise NoFunctionError(self)
        with torch.no_grad():
            found = self.call(z, u)
        if not isinstance(found, Tensor) or found.shape != z.shape:
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"model must return a tensor of shape {tuple(z.shape)}, got {got}")
        return found.double()

    def at(self, points: Tensor) -> Tensor:
        """f of arguments [B, N].

        Raises:
            ValueError: values that are not finite.
        """
        found = self(*self.parts(points))
        if not bool(torch.isfinite(found).all()):
            worst = points[int((~torch.isfinite(found)).any(1).double().argmax())]
            raise ValueError(f"model must have finite values, it has none at {worst.tolist()}")
        return found

    def over(self, box: Box, actions: Box) -> Enclosed:
        """f over boxes of states [B, K] and of actions, [B, M] or [1, M]."""
        acts = [end.expand(len(box.low), -1) for end in actions]
        low, high = (torch.cat(pair, 1) for pair in zip(box, acts, strict=True))
        middle = (low + high) / 2
        half = torch.maximum(high - middle, middle - low) * UP
        at, slope = self._ranged(middle, middle, False).value, self._ranged(low, high, True).slope
        return Enclosed(middle, half, at, slope)

    def parts(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """States and actions of arguments [B, N]."""
        k = self.values.shape[1]
        return points[:, :k], points[:, k:]

    def _ranged(self, low: Tensor, high: Tensor, slopes: bool) -> Ranged:
        if self.call is None:
            raise NoFunctionError(self)
        given, k = inputs(low, high, slopes=slopes), self.values.shape[1]
        try:
            found = self.call(given[..., :k], given[..., k:])
        except (TypeError, AttributeError, RuntimeError, IndexError) as error:
            raise NotEnclosedError(f"what fails on ranges ({error})") from error
        if not isinstance(found, Ranged) or found.shape != (len(low), k):
            raise NotEnclosedError("an answer that is not made of its arguments")
        return found


def points_in(box: Box) -> Tensor:
    """A grid of about CELLS points of a box [1, D], its ends among them."""
    n = _each(box)
    ends = zip(box.low[0].tolist(), box.high[0].tolist(), strict=True)
    return torch.cartesian_prod(
        *(torch.linspace(a, b, n, dtype=torch.float64) for a, b in ends)
    ).reshape(-1, box.low.shape[1])


def cells_of(box: Box) -> Box:
    """A box [1, D] cut into about CELLS boxes."""
    n, (low, high) = _each(box), box
    index = torch.cartesian_prod(*[torch.arange(n, dtype=torch.float64)] * low.shape[1])
    index, wide = index.reshape(-1, low.shape[1]), (high - low) / n
    slack = ROUNDING * (low.abs() + high.abs())
    return Box(low + index * wide - slack, low + (index + 1) * wide + slack)


def _each(box: Box) -> int:
    return max(2, int(CELLS ** (1 / box.low.shape[1])))


def _name_of(call: Any) -> str:
    module, name = getattr(call, "__module__", ""), getattr(call, "__qualname__", "")
    try:
        found = attrgetter(name)(sys.modules[module])
    except (AttributeError, KeyError):
        return ""
    return f"{module}:{name}" if found is call else ""
