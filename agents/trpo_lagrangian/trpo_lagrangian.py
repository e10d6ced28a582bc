"""TRPO-Lagrangian: sb3-contrib's TRPO on an advantage that pays for cost (Ray et al., 2019)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from sb3_contrib import TRPO
from stable_baselines3.common.policies import BasePolicy

from safer_gym.agents.constrained import Constrained
from safer_gym.agents.finite import require_finite_loss
from safer_gym.agents.means import Means
from safer_gym.agents.ppo_lagrangian.actor_critics import (
    CostCnnPolicy,
    CostMlpPolicy,
    CostMultiInputPolicy,
    with_cost_value,
)
from safer_gym.agents.ppo_lagrangian.losses import combined_advantage, scaled
from safer_gym.agents.ppo_lagrangian.on_policy import OnPolicy
from safer_gym.agents.ppo_lagrangian.options import MultiplierOptions


class TRPOLagrangian(OnPolicy, Constrained, TRPO):
    """TRPO on (A_r - lam A_c) / (1 + lam), lam by a PID controller of the episode cost.

    Without a multiplier an update is TRPO's own; the value of the cost learns beside it. Its policy
    is Stable-Baselines3's actor-critic with a head for that value, of any actions TRPO takes.

    The arguments are those of `OnPolicy` and of sb3-contrib's TRPO, and of the group `lagrange`.
    `normalize_advantage` is of the reward alone; `cost_advantage` says it of the cost.
    """

    BASE = TRPO
    GROUPS: ClassVar[dict[str, Any]] = {"lagrange": MultiplierOptions()}
    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": CostMlpPolicy,
        "CnnPolicy": CostCnnPolicy,
        "MultiInputPolicy": CostMultiInputPolicy,
    }

    def _setup_model(self) -> None:
        self.policy_class = with_cost_value(self.policy_class, self.action_space, self.use_sde)
        super()._setup_model()

    def train(self) -> None:
        """TRPO's step on the combined advantage, its value's, and the cost value's."""
        buffer, means = self.rollout_buffer, Means()
        means.note(buffer.known_before())
        how = "standardised" if self.normalize_advantage else "raw"
        reward = scaled(torch.as_tensor(buffer.advantages), how)
        cost = scaled(torch.as_tensor(buffer.cost_advantages), self.lagrange.cost_advantage)
        buffer.advantages = combined_advantage(reward, cost, self.lam).numpy()
        normalises, self.normalize_advantage = self.normalize_advantage, False
        try:
            super().train()
        finally:
            self.normalize_advantage = normalises
        self._fit_cost_value(means)
        self.logger.record("train/lagrange_multiplier", self.lam)
        means.record(self.logger)

    def _fit_cost_value(self, means: Means) -> None:
        """As TRPO fits the reward's value: the actor keeps its weights."""
        own = [part for name, part in self.policy.named_parameters() if "value" in name]
        for _ in range(self.n_critic_updates):
            for data in self.rollout_buffer.get(self.batch_size):
                values = self.policy.state_values(data.observations)[:, 1]
                loss = F.mse_loss(values, data.cost_returns)
                self.policy.optimizer.zero_grad(set_to_none=True)
                loss.backward(inputs=own)
                require_finite_loss("cost value", loss, own)
                self.policy.optimizer.step()
                means.note({"cost_value_loss": loss})
