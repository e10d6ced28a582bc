"""From a network's raw outputs to standard deviations, entry by entry and non-decreasing.

A non-decreasing head maps the ends of a box to the ends of its image. Each is a frozen dataclass,
called with raw outputs [B, R].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class ScaleHead(Protocol):
    """Raw outputs [B, R] to deviations [B, A] or factors [B, A, A]; no entry ever decreases."""

    @property
    def size(self) -> float:
        """Round-off of a result is a few units of `size` plus the result."""
        ...

    def __call__(self, raw: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class ExpStd:
    """exp of a clamped logarithm (SAC, TQC): [B, A] to [B, A]."""

    low: float = -20.0
    high: float = 2.0

    @property
    def size(self) -> float:
        """Errors are relative."""
        return 0.0

    def __call__(self, raw: Tensor) -> Tensor:
        return raw.clamp(self.low, self.high).exp()


@dataclass(frozen=True)
class SigmoidStd:
    """min_std + (max_std - min_std) sigmoid(raw + offset): [B, A] to [B, A].

    With `full` the raw outputs are the diagonal, then the strict lower triangle row by row, of a
    Cholesky factor [B, A, A]; entries under the diagonal are max_std tanh(raw).
    """

    min_std: float
    max_std: float
    offset: float
    action_dim: int
    full: bool = False

    @property
    def size(self) -> float:
        """Sums have errors relative to their largest term."""
        return self.max_std

    def __call__(self, raw: Tensor) -> Tensor:
        share = torch.sigmoid(raw[:, : self.action_dim] + self.offset)
        std = self.min_std + (self.max_std - self.min_std) * share
        if not self.full:
            return std
        factor = torch.diag_embed(std)
        rows, columns = torch.tril_indices(
            self.action_dim, self.action_dim, offset=-1, device=raw.device
        )
        factor[:, rows, columns] = self.max_std * torch.tanh(raw[:, self.action_dim :])
        return factor
