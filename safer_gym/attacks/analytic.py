"""Scores that know their own gradient, for victims made of small networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor

from safer_gym.networks import CriticAt, MlpAction, MlpCritic
from safer_gym.types import QFn, Victim

GRANULE = 8
"""Rows of a vector unit. Cut down to another multiple, a batch mostly keeps its rows' bits."""


@dataclass(frozen=True)
class AnalyticScore:
    """sum_i weight_i Q_i(s, mu(s~)) for fixed clean states s, without autograd."""

    action: MlpAction
    critics: Sequence[tuple[float, CriticAt]]
    """Weights, each with its critic."""

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
        critics.append((weight, critic.at(obs)))
    return AnalyticScore(action, critics)


def _same_box(action: MlpAction, critic: MlpCritic) -> bool:
    if action.low is critic.low and action.half is critic.half:
        return True
    return torch.equal(action.low, critic.low) and torch.equal(action.half, critic.half)
