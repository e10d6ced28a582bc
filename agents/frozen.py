"""A trained policy with its critics: all of an agent but its learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from safer_gym.agents.networks.actor_critics import ConstrainedPolicy
from safer_gym.agents.td import AGGREGATIONS
from safer_gym.agents.victim import make_victim
from safer_gym.choices import choose
from safer_gym.types import Victim


@dataclass(frozen=True)
class FrozenAgent:
    """What `victim()` and `predict` need of an agent.

    Args:
        policy: actor and critics.
        reward_aggregation, cost_aggregation: how the members of each critic are joined.

    Raises:
        ValueError: an aggregation other than "min", "mean" or "max".
    """

    policy: ConstrainedPolicy
    reward_aggregation: str
    cost_aggregation: str

    def __post_init__(self) -> None:
        choose("reward_aggregation", self.reward_aggregation, AGGREGATIONS)
        choose("cost_aggregation", self.cost_aggregation, AGGREGATIONS)

    @property
    def action_space(self) -> spaces.Space:
        """The environment's actions."""
        return self.policy.action_space

    @property
    def observation_space(self) -> spaces.Space:
        """The environment's observations."""
        return self.policy.observation_space

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, **options: Any
    ) -> tuple[np.ndarray, Any]:
        """As in Stable-Baselines3."""
        return self.policy.predict(observation, state, episode_start, **options)

    def victim(self) -> Victim:
        """The policy as an attack sees it: mean action and critics, environment units."""
        return make_victim(self)
