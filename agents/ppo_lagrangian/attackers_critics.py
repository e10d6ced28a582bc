"""Q_r and Q_c of an on-policy agent, learned off-policy: what MC and MR attackers ask."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from safer_gym.agents.data.buffers import CostSamples
from safer_gym.agents.networks.actor_critics import ConstrainedPolicy
from safer_gym.agents.td import AGGREGATIONS
from safer_gym.agents.updates import COST_BOOTSTRAPS, fit_critics, track_critics
from safer_gym.choices import choose
from safer_gym.domains import AT_LEAST_ONE, COUNT, NOT_NEGATIVE, SHARE, require


@dataclass(frozen=True)
class AttackersCritics:
    """How the critics learn from clean transitions. PPO itself does not use them.

    Args:
        critic_learning_rate: rate of critics and state values; None follows `learning_rate`.
        buffer_size, critic_batch_size: transitions kept, and drawn for an update.
        critic_updates: updates a rollout.
        tau: step of the target critics.
        cost_bootstrap: "until_terminated", or "always" lets the cost go on behind a termination.
        reward_aggregation, cost_aggregation: "min", "mean" or "max" over the members.
    """

    critic_learning_rate: float | None = 1e-3
    buffer_size: int = 100_000
    critic_batch_size: int = 256
    critic_updates: int = 100
    tau: float = 0.005
    cost_bootstrap: str = "until_terminated"
    reward_aggregation: str = "min"
    cost_aggregation: str = "max"

    def __post_init__(self) -> None:
        require(COUNT, critic_updates=self.critic_updates)
        sizes = {"buffer_size": self.buffer_size, "critic_batch_size": self.critic_batch_size}
        require(AT_LEAST_ONE, **sizes)
        require(SHARE, tau=self.tau)
        require(NOT_NEGATIVE.or_none, critic_learning_rate=self.critic_learning_rate)
        choose("cost_bootstrap", self.cost_bootstrap, COST_BOOTSTRAPS)
        choose("reward_aggregation", self.reward_aggregation, AGGREGATIONS)
        choose("cost_aggregation", self.cost_aggregation, AGGREGATIONS)

    def update(self, policy: ConstrainedPolicy, data: CostSamples) -> dict[str, Tensor]:
        """One step of both critics towards the values of the deterministic policy (Eq. 58, 59)."""
        with torch.no_grad():
            action = policy.actor._predict(data.next_observations, deterministic=True)
        both = (self.reward_aggregation, self.cost_aggregation)
        losses = fit_critics(policy, data, (action, action), both, self.cost_bootstrap, None)
        track_critics(policy, self.tau)
        return losses
