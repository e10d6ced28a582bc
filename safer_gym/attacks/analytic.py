"""Scores that know their own gradient, for victims made of small networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from safer_gym.mlp import MlpAction, MlpCritic, Slope
from safer_gym.types import QFn, Victim


@dataclass(frozen=True)
class AnalyticScore:
    """sum_i weight_i Q_i(s, mu(s~)) for fixed clean states s, without autograd."""

    action: MlpAction
    slopes: Sequence[tuple[float, Slope]]

    def __call__(self, points: Tensor) -> Tensor:
        return self.look(points)[0]

    def look(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Values [B] and gradients [B, O] at `points`."""
        actions, pull = self.action.pull(points)
        found = [(weight, *slope(actions)) for weight, slope in self.slopes]
        weight, value, by_action = found[0]
        value, by_action = weight * value, weight * by_action
        for weight, more, more_by_action in found[1:]:
            value, by_action = value + weight * more, by_action + weight * more_by_action
        return value, pull(by_action)


def analytic_score(
    victim: Victim, obs: Tensor, terms: Sequence[tuple[float, QFn]]
) -> AnalyticScore | None:
    """The score of weighted critics, or None where a part of the victim is not a known network."""
    known = [(weight, critic) for weight, critic in terms if isinstance(critic, MlpCritic)]
    if not isinstance(victim.action, MlpAction) or len(known) < len(terms):
        return None
    return AnalyticScore(victim.action, [(weight, critic.at(obs)) for weight, critic in known])
