"""The update that TD3-Lagrangian and DDPG-Lagrangian share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from safer_gym.agents.data.buffers import CostSamples
from safer_gym.agents.means import Means
from safer_gym.agents.options import CostOptions
from safer_gym.agents.td import td_loss, track
from safer_gym.agents.td3_lagrangian.losses import actor_loss, smoothed
from safer_gym.agents.td3_lagrangian.policies import CnnPolicy, MlpPolicy, MultiInputPolicy
from safer_gym.agents.updates import descend, reward_target, track_critics
from safer_gym.domains import NOT_NEGATIVE, require

if TYPE_CHECKING:
    from stable_baselines3 import TD3

    from safer_gym.agents.lagrangian.lagrangian import Lagrangian

    class _Base(Lagrangian, TD3):
        """What it is mixed in before."""
else:
    _Base = object


class Delayed(_Base):
    """Mixed in before `Lagrangian`: TD3's critics, and its actor, which moves less often. Abstract.

    Without a multiplier an update is TD3's own; the cost critic and the multiplier learn beside it.

    Args:
        exploration_noise: deviation of the Gaussian that is added to actions in [-1, 1] during
            collection, where no `action_noise` is given. With 0 nothing is added, as in
            Stable-Baselines3, where the policy then explores by its first random steps alone.
        args, kwargs: those of `Lagrangian`.

    Raises:
        ValueError: for values out of range and for unknown names, with the valid ones.
    """

    GROUPS: ClassVar[dict[str, Any]] = {"cost": CostOptions()}
    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": MlpPolicy,
        "CnnPolicy": CnnPolicy,
        "MultiInputPolicy": MultiInputPolicy,
    }

    def __init__(self, *args: Any, exploration_noise: float = 0.1, **kwargs: Any) -> None:
        require(NOT_NEGATIVE, exploration_noise=exploration_noise)
        self.exploration_noise = exploration_noise
        super().__init__(*args, **kwargs)

    def _setup_model(self) -> None:
        if self.action_noise is None and self.exploration_noise > 0:
            shape: Any = self.action_space.shape
            deviation: Any = np.full(shape, self.exploration_noise)
            self.action_noise = NormalActionNoise(np.zeros_like(deviation), deviation)
        super()._setup_model()

    def _create_aliases(self) -> None:
        super()._create_aliases()
        self.actor_target = self.policy.actor_target

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "actor_target"]

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """`gradient_steps` updates of critics and multiplier; of the actor after `policy_delay`."""
        self._begin_update()
        means = Means()
        for _ in range(gradient_steps):
            self._n_updates += 1
            data = self._sample_batch(batch_size)
            means.note({"critic_loss": self._update_critic(data)})
            means.note({"cost_critic_loss": self._update_cost_critic(data)})
            if self._n_updates % self.policy_delay == 0:
                means.note({"actor_loss": self._update_actor(data)})
                track_critics(self.policy, self.tau)  # type: ignore[arg-type]
                track(self.actor, self.actor_target, self.tau)
        self._record(means)

    def _update_critic(self, data: CostSamples) -> Tensor:
        with torch.no_grad():
            noise = torch.empty_like(data.actions).normal_(0, self.target_policy_noise)
            following = self.actor_target(data.next_observations)
            following = smoothed(following, noise, self.target_noise_clip)
            values: Any = self.critic_target
            target = reward_target(data, values.values(data.next_observations, following).amin(0))
        critic: Any = self.critic
        loss = td_loss(critic.values(data.observations, data.actions), target)
        descend("critic", loss, critic, None)
        return loss.detach()

    def _update_actor(self, data: CostSamples) -> Tensor:
        critic: Any = self.critic
        obs: Any = data.observations
        actions = self.actor(obs)
        q_reward, q_cost = critic.values(obs, actions), self._cost_of(obs, actions)
        loss = actor_loss(q_reward, q_cost, self.multiplier.lam)
        descend("actor", loss, self.actor, None)
        return loss.detach()
