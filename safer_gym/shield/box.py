"""Boxes of coordinates, and sums that are rounded outward."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

ROUNDING = 1e-13
"""Outward, for each unit of the sum of absolute terms: gamma_n of sums of n <= 400 products in
float64 (Higham 2002, section 3.1)."""
UP = 1.0 + 1e-12
"""Outward, of single numbers."""
ROUNDED = 1e-6
"""Relative: room for an action that is sent as float32."""


class Box(NamedTuple):
    """Intervals of the coordinates [B, K]."""

    low: Tensor
    high: Tensor

    def meet(self, other: Box) -> Box:
        """What lies in both; empty where low > high."""
        return Box(torch.maximum(self.low, other.low), torch.minimum(self.high, other.high))

    @property
    def middle(self) -> Tensor:
        """[B, K]"""
        return (self.low + self.high) / 2


def about(one: Tensor, other: Tensor) -> Box:
    """The boxes of what lies between two actions [B, M] and is sent as float32."""
    low, high = torch.minimum(one, other), torch.maximum(one, other)
    return Box(low - ROUNDED * (1 + low.abs()), high + ROUNDED * (1 + high.abs()))


class Support:
    """The largest value of each of some rows [R, K] over boxes: [B, K] to [B, R], rounded outward.

    |z| of a box is at most |low| + |high|, which is what rounding is measured by.
    """

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows
        slack = ROUNDING * rows.abs()
        self._of_high = torch.cat([rows.clamp(min=0), rows.clamp(max=0), slack, slack], 1).mT

    def __call__(self, box: Box) -> Tensor:
        """[B, R]"""
        low, high = box
        return torch.cat([high, low, low.abs(), high.abs()], 1) @ self._of_high
