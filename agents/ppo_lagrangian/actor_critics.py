"""Stable-Baselines3's actor-critic policies with a value of the cost.

They serve what the Gaussian policies of this project have not: discrete actions, state-dependent
exploration (gSDE), and a user's own ActorCriticPolicy. They have no critics for an attacker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import (
    ActorCriticCnnPolicy,
    ActorCriticPolicy,
    BaseModel,
    BasePolicy,
    MultiInputActorCriticPolicy,
)
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import Tensor, nn

from safer_gym.agents.ppo_lagrangian import policies as gaussian
from safer_gym.agents.ppo_lagrangian.objective import Evaluated

if TYPE_CHECKING:
    _Base = ActorCriticPolicy
else:
    _Base = object


class CostActorCritic(_Base):
    """A second head beside that of the reward's value. Before an ActorCriticPolicy."""

    OPTIMIZERS: ClassVar[tuple[str, ...]] = ("optimizer",)

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        self.cost_value_net = nn.Linear(self.mlp_extractor.latent_dim_vf, 1).to(self.device)
        options: dict[str, Any] = {"lr": lr_schedule(1), **self.optimizer_kwargs}
        self.optimizer = self.optimizer_class(self.parameters(), **options)

    @property
    def learners(self) -> tuple[BaseModel, BaseModel]:
        """What a step on the policy's loss, and one on the values', changes."""
        return self, self

    def state_values(self, obs: PyTorchObs) -> Tensor:
        """Values [B, 2]: reward, cost."""
        features = BaseModel.extract_features(self, obs, self.vf_features_extractor)
        latent = self.mlp_extractor.forward_critic(features)
        return torch.cat([self.value_net(latent), self.cost_value_net(latent)], dim=-1)

    def evaluate(self, obs: PyTorchObs, actions: Tensor) -> Evaluated:
        """What the policy thinks of a rollout's actions."""
        if isinstance(self.action_space, spaces.Discrete):
            actions = actions.long().flatten()
        distribution = self.get_distribution(obs)
        log_prob = distribution.log_prob(actions)
        entropy = distribution.entropy()
        return Evaluated(log_prob, -log_prob if entropy is None else entropy, None)


class CostMlpPolicy(CostActorCritic, ActorCriticPolicy):
    """For vectors."""


class CostCnnPolicy(CostActorCritic, ActorCriticCnnPolicy):
    """For image observations."""


class CostMultiInputPolicy(CostActorCritic, MultiInputActorCriticPolicy):
    """For Dict observations."""


TWINS: dict[type[BasePolicy], type[BasePolicy]] = {
    gaussian.MlpPolicy: CostMlpPolicy,
    gaussian.CnnPolicy: CostCnnPolicy,
    gaussian.MultiInputPolicy: CostMultiInputPolicy,
}


def with_cost_value(asked: Any, action_space: spaces.Space, use_sde: bool) -> Any:
    """The policy class that an agent builds.

    Raises:
        TypeError: it neither has, nor can be given, a value of the cost.
    """
    if issubclass(asked, CostActorCritic):
        return asked
    if issubclass(asked, gaussian.ActorValues) and asked not in TWINS:
        return asked
    if asked in TWINS:
        plain = isinstance(action_space, spaces.Box) and not use_sde
        return asked if plain else TWINS[asked]
    if issubclass(asked, ActorCriticPolicy):
        return type(asked.__name__, (CostActorCritic, asked), {"__doc__": asked.__doc__})
    raise TypeError(
        "policy must be the name of one, or a subclass of Stable-Baselines3's ActorCriticPolicy; "
        f"got {asked.__name__}."
    )
