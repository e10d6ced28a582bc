"""Q_r and Q_c of an on-policy agent, learned off-policy: what MC and MR attackers ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from safer_gym.agents.common.buffers import CostSamples
from safer_gym.agents.common.critic_update import COST_BOOTSTRAPS, critic_targets, fit_critic
from safer_gym.agents.common.policies import ConstrainedPolicy
from safer_gym.agents.common.td import AGGREGATIONS, aggregate, track
from safer_gym.choices import choose


@dataclass(frozen=True)
class CriticRule:
    """How the critics learn; see the options of the same names of PPOLagrangian."""

    tau: float
    cost_bootstrap: str
    reward_aggregation: str
    cost_aggregation: str

    def __post_init__(self) -> None:
        choose("cost_bootstrap", self.cost_bootstrap, COST_BOOTSTRAPS)
        choose("reward_aggregation", self.reward_aggregation, AGGREGATIONS)
        choose("cost_aggregation", self.cost_aggregation, AGGREGATIONS)

    def update(self, policy: ConstrainedPolicy, data: CostSamples) -> dict[str, Any]:
        """One step of both critics towards the values of the deterministic policy (Eq. 58, 59)."""
        following = data.next_observations
        with torch.no_grad():
            action = policy.actor._predict(following, deterministic=True)
            reward_next = policy.critic_target.values(following, action)
            cost_next = policy.cost_critic_target.values(following, action)
            targets = critic_targets(
                data,
                aggregate(reward_next, self.reward_aggregation),
                aggregate(cost_next, self.cost_aggregation),
                self.cost_bootstrap,
            )
        losses = {
            "critic_loss": fit_critic(policy.critic, data, targets.reward, None),
            "cost_critic_loss": fit_critic(policy.cost_critic, data, targets.cost, None),
        }
        track(policy.critic, policy.critic_target, self.tau)
        track(policy.cost_critic, policy.cost_critic_target, self.tau)
        return losses
