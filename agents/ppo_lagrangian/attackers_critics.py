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

    def update(self, policy: ConstrainedPolicy, data: CostSamples) -> dict[str, Tensor]:
        """One step of both critics towards the values of the deterministic policy (Eq. 58, 59)."""
        with torch.no_grad():
            action = policy.actor._predict(data.next_observations, deterministic=True)
        both = (self.reward_aggregation, self.cost_aggregation)
        losses = fit_critics(policy, data, (action, action), both, self.cost_bootstrap, None)
        track_critics(policy, self.tau)
        return losses
