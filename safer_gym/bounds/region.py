"""The set of observations that an adversary may show, as linear functions see it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.balls import LpBall

_MARGIN = 1e-6
"""Relative growth of the radius: what `LpBall.contains` tolerates."""
_DUAL = {1.0: math.inf, 2.0: 2.0}


class Region(NamedTuple):
    """{x : low <= x <= high, ||(x - center) / eps||_p <= 1} for each row of a batch.

    For p = inf the box says all.
    """

    center: Tensor
    """[B, D]"""
    eps: Tensor
    """[D]"""
    p: float
    low: Tensor
    """[B, D]"""
    high: Tensor
    """[B, D]"""

    def minimum(self, weight: Tensor) -> Tensor:
        """A lower bound [B, R] of weight x over the region, for weight [R, D] or [B, R, D].

        Exact for p = inf, and for l1 and l2 balls that no box cuts.
        """
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        lowest = _apply(weight, middle) - _apply(weight.abs(), half)
        if self.p == math.inf:
            return lowest
        reach = torch.linalg.vector_norm(weight * self.eps, ord=_DUAL[self.p], dim=-1)
        return torch.maximum(lowest, _apply(weight, self.center) - reach)

    def rows(self, part: slice) -> Region:
        """The same sets for some rows of the batch."""
        return self._replace(center=self.center[part], low=self.low[part], high=self.high[part])


def region_of(obs: Tensor, ball: LpBall) -> Region:
    """The ball around every observation of [B, *O], cut by its box, in float64.

    The radius grows by a relative 1e-6, so that whatever `ball.contains` accepts is inside.

    Raises:
        ValueError: obs without a batch axis or not finite; eps that does not fit.
    """
    if obs.dim() < 2:
        raise ValueError(f"obs must be a batch [B, *O]; got shape {tuple(obs.shape)}")
    if not bool(torch.isfinite(obs).all()):
        raise ValueError("obs must be finite")
    shape = obs.shape[1:]
    center = obs.detach().flatten(1).double()
    eps = _fit("eps", ball.eps, shape) * (1 + _MARGIN)
    low, high = center - eps, center + eps
    if ball.low is not None:
        valid = torch.minimum(_fit("low", ball.low, shape), center)
        low = torch.maximum(low, valid)
    if ball.high is not None:
        valid = torch.maximum(_fit("high", ball.high, shape), center)
        high = torch.minimum(high, valid)
    return Region(center, eps, ball.p, low, high)


def _fit(name: str, value: Tensor, shape: torch.Size) -> Tensor:
    try:
        return value.double().expand(shape).flatten()
    except RuntimeError:
        raise ValueError(
            f"{name} of shape {tuple(value.shape)} does not fit observations {tuple(shape)}"
        ) from None


def _apply(weight: Tensor, x: Tensor) -> Tensor:
    """Rows [B, R] of weight [R, D] or [B, R, D] times x [B, D]."""
    if weight.dim() == 2:
        return x @ weight.mT
    return torch.bmm(weight, x.unsqueeze(-1)).squeeze(-1)
