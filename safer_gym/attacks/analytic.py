"""Scores that know their own gradient, for victims made of small networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
from torch import Tensor

from safer_gym.mlp import MlpAction, MlpCritic
from safer_gym.mlp_blocks import BlockAction, BlockCritic, block_size
from safer_gym.types import QFn, Victim

EIGHT = 8
"""Rows of a vector unit: torch's products of a multiple mostly treat each row alike."""


@dataclass(frozen=True)
class AnalyticScore:
    """sum_i weight_i Q_i(s, mu(s~)) for fixed clean states s, without autograd."""

    action: MlpAction | BlockAction
    critics: Sequence[tuple[float, Any]]
    """Weights, and a `CriticAt` or `BlockCritic` each, of the action's form."""
    granule: int
    """A batch of a multiple of this many rows, cut down to another one, keeps the rows' bits."""

    @np.errstate(all="ignore")
    def __call__(self, points: Tensor) -> Tensor:
        """Values [B] at `points`, forward alone."""
        unit = self.action.unit(points)
        return _total([_times(weight, critic.value(unit)) for weight, critic in self.critics])

    def look(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Values [B] and gradients [B, O] at `points`."""
        unit, pull = self.action.pull(points)
        found = [(weight, critic.slope(unit)) for weight, critic in self.critics]
        value = _total([_times(weight, value) for weight, (value, _) in found])
        return value, pull(_total([_times(weight, by_unit) for weight, (_, by_unit) in found]))

    def rows(self, index: Tensor) -> AnalyticScore:
        """The score of some of the rows; `index` [b]."""
        return replace(self, critics=[(weight, q.rows(index)) for weight, q in self.critics])


def _times(weight: float, value: Any) -> Any:
    return value if weight == 1.0 else weight * value


def _total(parts: Sequence[Any]) -> Any:
    return reduce(add, parts)


def analytic_score(
    victim: Victim, obs: Tensor, terms: Sequence[tuple[float, QFn]]
) -> AnalyticScore | None:
    """The score of weighted critics, or None where a part of the victim is not a known network.

    Actor and critics must be of one action box: then no action leaves its unit form.
    """
    action = victim.action
    if not isinstance(action, MlpAction):
        return None
    critics = []
    for weight, critic in terms:
        if not isinstance(critic, MlpCritic) or not _same_box(action, critic):
            return None
        critics.append((weight, critic))
    size = block_size(obs, action.layers, *(critic.layers for _, critic in critics))
    if size == 0:
        return AnalyticScore(action, [(weight, q.at(obs)) for weight, q in critics], EIGHT)
    in_blocks = [(weight, BlockCritic(q, obs, size)) for weight, q in critics]
    return AnalyticScore(BlockAction(action, size), in_blocks, size)


def _same_box(action: MlpAction, critic: MlpCritic) -> bool:
    if action.low is critic.low and action.half is critic.half:
        return True
    return torch.equal(action.low, critic.low) and torch.equal(action.half, critic.half)
