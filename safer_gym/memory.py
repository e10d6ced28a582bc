"""What a policy carries from step to step, as numbers beside its observation.

A policy with a memory is a policy without one of rows [memory, observation]: who knows the row
knows the action. Attacks hold the memory fixed and move the observation alone.

Axes: B batch, S numbers of the memory, D numbers of an observation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


def _nothing(rows: Tensor) -> Tensor:
    return rows.new_zeros(len(rows), 0)


class Memory(NamedTuple):
    """How large a memory is, and what follows it."""

    size: int = 0
    """S; 0: the policy remembers nothing, and a row is its observation [B, *O]."""
    after: Callable[[Tensor], Tensor] = _nothing
    """Rows that the policy was shown [B, S + D] to its memory at the next step [B, S]."""

    def begin(self, n: int) -> Tensor:
        """The memory [n, S] where episodes begin; its first number says that they do."""
        memory = torch.zeros(n, self.size)
        memory[:, :1] = 1.0
        return memory

    def rows(self, obs: Tensor, memory: Tensor) -> Tensor:
        """Rows of observations [B, *O] and the memory [B, S] at each."""
        return obs if not self.size else torch.cat([memory.to(obs), obs.flatten(1)], dim=1)

    def at_start(self, obs: Tensor) -> Tensor:
        """Rows of observations [B, *O] where episodes begin."""
        return self.rows(obs, self.begin(len(obs)))

    def observed(self, rows: Tensor) -> Tensor:
        """The observations in rows, [B, *O] without a memory, else [B, D]."""
        return rows[:, self.size :] if self.size else rows

    def shape(self, obs_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a row, of observations of this shape."""
        return (self.size + torch.Size(obs_shape).numel(),) if self.size else obs_shape


NO_MEMORY = Memory()
