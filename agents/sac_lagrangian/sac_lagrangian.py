"""SAC-Lagrangian: Stable-Baselines3's SAC whose actor pays for cost (Ha et al., CoRL 2020)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from stable_baselines3 import SAC
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from safer_gym.agents.constrained import Constrained
from safer_gym.agents.data.buffers import CostSamples
from safer_gym.agents.finite import require_finite_loss
from safer_gym.agents.lagrangian.lagrangian import Lagrangian
from safer_gym.agents.means import Means
from safer_gym.agents.networks.critics import QEnsemble
from safer_gym.agents.off_policy import OffPolicy
from safer_gym.agents.options import CostOptions
from safer_gym.agents.sac_lagrangian.losses import (
    actor_loss,
    soft_critic_loss,
    soft_value,
    temperature_loss,
)
from safer_gym.agents.sac_lagrangian.policies import (
    CnnPolicy,
    LagrangianPolicy,
    MlpPolicy,
    MultiInputPolicy,
)
from safer_gym.agents.updates import descend, reward_target, track_critics


class SACLagrangian(Lagrangian, OffPolicy, Constrained, SAC):
    """Soft actor-critic under a cost limit: the actor ascends (Q_r - lam Q_c) / (1 + lam).

    Without a multiplier an update is SAC's own; the cost critic and the multiplier learn beside it.
    The arguments are those of `Lagrangian` and of Stable-Baselines3's SAC.
    """

    BASE = SAC
    GROUPS: ClassVar[dict[str, Any]] = {"cost": CostOptions(cost_action="sample")}
    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": MlpPolicy,
        "CnnPolicy": CnnPolicy,
        "MultiInputPolicy": MultiInputPolicy,
    }
    policy: LagrangianPolicy
    critic: QEnsemble  # type: ignore[assignment]
    critic_target: QEnsemble  # type: ignore[assignment]

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """`gradient_steps` updates of critics, temperature, actor and multiplier."""
        learned = self.ent_coef_optimizer
        self._begin_update(*([] if learned is None else [learned]))
        means = Means()
        for step in range(gradient_steps):
            data = self._sample_batch(batch_size)
            means.note(self._update_soft(data))
            means.note({"cost_critic_loss": self._update_cost_critic(data)})
            if step % self.target_update_interval == 0:
                track_critics(self.policy, self.tau)
        self._n_updates += gradient_steps
        self._record(means)

    def _update_soft(self, data: CostSamples) -> dict[str, Tensor]:
        """One step of SAC: temperature, reward critics, and the actor, which pays for cost."""
        if self.use_sde:
            self.actor.reset_noise()
        actions, log_prob = self.actor.action_log_prob(data.observations)
        alpha, record = self._temperature(log_prob)
        with torch.no_grad():
            next_obs = data.next_observations
            next_actions, next_log_prob = self.actor.action_log_prob(next_obs)
            following = self.critic_target.values(next_obs, next_actions)
            following = soft_value(following, alpha, next_log_prob)
            target = reward_target(data, following)
        critic_loss = soft_critic_loss(self.critic.values(data.observations, data.actions), target)
        descend("critic", critic_loss, self.critic, None)
        q_reward = self.critic.values(data.observations, actions)
        q_cost = self._cost_of(data.observations, actions)
        loss = actor_loss(log_prob, q_reward, q_cost, alpha, self.multiplier.lam)
        descend("actor", loss, self.actor, None)
        return {**record, "critic_loss": critic_loss, "actor_loss": loss}

    def _temperature(self, log_prob: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The present temperature, after which it takes a step where it is learned."""
        if self.ent_coef_optimizer is None or self.log_ent_coef is None:
            return self.ent_coef_tensor, {"ent_coef": self.ent_coef_tensor}
        alpha = self.log_ent_coef.detach().exp()
        loss = temperature_loss(self.log_ent_coef, log_prob, float(self.target_entropy))
        self.ent_coef_optimizer.zero_grad()
        loss.backward()
        require_finite_loss("temperature", loss, [self.log_ent_coef])
        self.ent_coef_optimizer.step()
        return alpha, {"ent_coef": alpha, "ent_coef_loss": loss}
