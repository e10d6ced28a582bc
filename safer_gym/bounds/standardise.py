"""The division inside LayerNorm, as a layer: each centred input over the deviation of them all.

Each output c_i / d depends on the other inputs only by the sum r of their squares. Over a box, r
lies between two numbers, so c_i / d lies between two curves of c_i alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from safer_gym.bounds.curve import Curve

_PAD = 1e-14


@dataclass(frozen=True)
class Standardise:
    """(c_1 ... c_n, m) -> (c_1 / d, ..., c_n / d, 0), with d = sqrt(mean(c^2) + epsilon).

    The c are inputs less their mean m, which comes along: the round-off of d depends on it.

    Args:
        epsilon: positive.
    """

    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        centred = x[..., :-1]
        deviation = (centred.square().mean(-1, keepdim=True) + self.epsilon).sqrt()
        return functional.pad(centred / deviation, (0, 1))

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The ends of its values over boxes [B, n + 1]."""
        upper = self._upper(low, high)  # non-decreasing
        return functional.pad(-upper(-low[..., :-1]), (0, 1)), functional.pad(
            upper(high[..., :-1]), (0, 1)
        )

    def above(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Slopes and offsets of lines over it."""
        slope, offset = self._upper(low, high).above(low[..., :-1], high[..., :-1])
        return functional.pad(slope, (0, 1)), functional.pad(offset, (0, 1))

    def below(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Slopes and offsets of lines under it, which is odd."""
        slope, offset = self.above(-high, -low)
        return slope, -offset

    def _upper(self, low: Tensor, high: Tensor) -> Curve:
        """x -> the largest value of an output whose own input is x, for all others in their boxes.

        Convex left of zero, with the largest r; concave right of it, with the least.
        """
        n = low.shape[-1] - 1
        least, most = _squares(low[..., :-1], high[..., :-1])
        room = n * _PAD * most.sum(-1, keepdim=True)
        r_least = (least.sum(-1, keepdim=True) - least - room).clamp(min=0.0)
        r_most = most.sum(-1, keepdim=True) - most + room

        def of(x: Tensor) -> tuple[Tensor, Tensor]:
            rest = torch.where(x >= 0, r_least, r_most) / n + self.epsilon
            return rest, x.square() / n + rest

        return Curve(
            "standardise",
            lambda x: x / of(x)[1].sqrt(),
            lambda x: of(x)[0] / of(x)[1] ** 1.5,
            inflections=(0.0,),
            level=n**0.5,
        )

    def error(self, low: Tensor, high: Tensor, unit: float) -> Tensor:
        """|computed - exact| of each output, [B, n + 1].

        A variance of n numbers is off by at most a few n unit times their mean square, in whatever
        order it is added, in one pass or in two (Chan, Golub and LeVeque 1983).
        """
        size, n = torch.maximum(low.abs(), high.abs()), low.shape[-1] - 1
        least, most = (s.mean(-1, keepdim=True) for s in _squares(low[..., :-1], high[..., :-1]))
        variance, deviation = least + self.epsilon, (least + self.epsilon).sqrt()
        off = 4 * n * unit * (most + size[..., -1:].square())
        # Whatever the variance becomes, it is not negative, and epsilon is added to it.
        relative = torch.where(
            off < variance / 2, 1.5 * off / variance, 2 * deviation / self.epsilon**0.5
        )
        inputs = size[..., :-1].mean(-1, keepdim=True) + size[..., -1:]
        return (size * (relative + 8 * unit) + 8 * unit * inputs) / deviation


def _squares(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the largest square in each interval."""
    a, b = low.square(), high.square()
    least = torch.where((low < 0) & (high > 0), 0.0, torch.minimum(a, b))
    return least, torch.maximum(a, b)
