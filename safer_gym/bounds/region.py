"""The set of observations that an adversary may show, as linear functions see it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds.interval import Enclosure

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
    slack: Tensor
    """[B, D]: how far the policy's own copy of an observation may lie from it, by its dtype."""

    @property
    def box(self) -> Enclosure:
        """The least box that holds what the policy reads."""
        return Enclosure(self.low - self.slack, self.high + self.slack)

    def minimum(self, weight: Tensor) -> Tensor:
        """A lower bound [B, R] of weight x over the region, for weight [R, D] or [B, R, D].

        Exact for p = inf, and for l1 and l2 balls that no box cuts.
        """
        size = weight.abs()
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        lowest = _apply(weight, middle) - _apply(size, half + self.slack)
        if self.p == math.inf:
            return lowest
        reach = torch.linalg.vector_norm(weight * self.eps, ord=_DUAL[self.p], dim=-1)
        least = _apply(weight, self.center) - _apply(size, self.slack) - reach
        return torch.maximum(lowest, least)

    def to(self, dtype: torch.dtype) -> Region:
        """The same sets in another floating-point type, up to its round-off."""
        eps, low, high = self.eps.to(dtype), self.low.to(dtype), self.high.to(dtype)
        return Region(self.center.to(dtype), eps, self.p, low, high, self.slack.to(dtype))

    def rows(self, part: Tensor) -> Region:
        """The same sets for the rows of the batch with these indices."""
        return Region(
            self.center[part],
            self.eps,
            self.p,
            self.low[part],
            self.high[part],
            self.slack[part],
        )


def region_of(obs: Tensor, ball: LpBall, unit: float = 0.0) -> Region:
    """The ball around every observation of [B, *O], cut by its box, in float64.

    Args:
        unit: unit roundoff of the dtype that the policy casts observations to.

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
    eps = _fit("eps", ball.eps, shape).to(center) * (1 + _MARGIN)
    low, high = center - eps, center + eps
    if ball.low is not None:
        valid = torch.minimum(_fit("low", ball.low, shape).to(center), center)
        low = torch.maximum(low, valid)
    if ball.high is not None:
        valid = torch.maximum(_fit("high", ball.high, shape).to(center), center)
        high = torch.minimum(high, valid)
    slack = unit * torch.maximum(low.abs(), high.abs())
    return Region(center, eps, ball.p, low, high, slack)


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
