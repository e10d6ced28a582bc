"""The policy object of an on-policy agent: the off-policy one's networks, and two state values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BaseModel
from stable_baselines3.common.torch_layers import (
    BaseFeaturesExtractor,
    CombinedExtractor,
    NatureCNN,
    create_mlp,
)
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor, nn

from safer_gym.agents.networks.actor_critics import ConstrainedPolicy
from safer_gym.agents.networks.spec import ActorCritics, Net
from safer_gym.agents.ppo_lagrangian.objective import Evaluated
from safer_gym.divergences import gaussian_entropy, gaussian_log_prob, sample_gaussian


class StateValues(BaseModel):
    """V_r and V_c: what a state will bring, and what it will cost."""

    features_extractor: BaseFeaturesExtractor

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        net_arch: list[int],
        features_extractor: BaseFeaturesExtractor,
        features_dim: int,
        activation_fn: type[nn.Module] = nn.ReLU,
        normalize_images: bool = True,
        share_features_extractor: bool = False,
    ) -> None:
        super().__init__(
            observation_space,
            action_space,
            features_extractor=features_extractor,
            normalize_images=normalize_images,
        )
        self.share_features_extractor = share_features_extractor
        self.nets = nn.ModuleList(
            nn.Sequential(*create_mlp(features_dim, 1, net_arch, activation_fn)) for _ in range(2)
        )

    def forward(self, obs: PyTorchObs) -> Tensor:
        """Values [B, 2]: reward, cost."""
        # A shared extractor learns from the policy's loss alone.
        keep_graph = torch.is_grad_enabled() and not self.share_features_extractor
        with torch.set_grad_enabled(keep_graph):
            features = self.extract_features(obs, self.features_extractor)
        return torch.cat([net(features) for net in self.nets], dim=-1)


if TYPE_CHECKING:
    _Base = ConstrainedPolicy
else:
    _Base = object


class ActorValues(_Base):
    """Actor, state values, and the action values that attackers ask. Before ConstrainedPolicy.

    Arguments: those of ConstrainedPolicy. The standard deviation is one learned number for each
    action (appendix B.3.2) unless `actor_kwargs` names another `covariance`.
    """

    OPTIMIZERS: ClassVar[tuple[str, ...]] = (
        "actor.optimizer",
        "state_values.optimizer",
        "critic.optimizer",
        "cost_critic.optimizer",
    )
    """The actor's first, then those that may have a rate of their own."""
    state_values: StateValues

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # An alias that is no part of the state: PPO's policies have it here.
        vars(self)["features_extractor"] = self.actor.features_extractor

    def _spec(self) -> ActorCritics:
        self.actor_kwargs = {"covariance": "constant"} | self.actor_kwargs
        if isinstance(self.net_arch, dict) and "vf" in self.net_arch:  # PPO's name of it
            self.net_arch = {"pi": [], "qf": self.net_arch["vf"], **self.net_arch}
        spec = super()._spec()
        values = {"state_values": Net(StateValues, has_target=False)}
        return spec._replace(critics={**spec.critics, **values})

    def forward(  # type: ignore[override]
        self, obs: PyTorchObs, deterministic: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Actions in [-1, 1] before clipping, V_r [B, 1] and log-densities [B]."""
        policy = self.actor.distribution(obs)
        actions = policy.mean if deterministic else sample_gaussian(policy, 1)[0]
        shaped = actions.reshape(-1, *self.action_space.shape)  # type: ignore[misc]
        return shaped, self.predict_values(obs), gaussian_log_prob(policy, actions)

    @property
    def learners(self) -> tuple[BaseModel, BaseModel]:
        """What a step on the policy's loss, and one on the values', changes."""
        return self.actor, self.state_values

    def evaluate(self, obs: PyTorchObs, actions: Tensor) -> Evaluated:
        """What the policy thinks of a rollout's actions."""
        new = self.actor.distribution(obs)
        log_prob = gaussian_log_prob(new, actions.flatten(1))
        return Evaluated(log_prob, gaussian_entropy(new), new)

    def predict_values(self, obs: PyTorchObs) -> Tensor:
        """V_r [B, 1], as Stable-Baselines3's collection asks for it."""
        return self.state_values(obs)[:, :1]

    def unscale_action(self, scaled_action: np.ndarray) -> np.ndarray:
        """From [-1, 1] to the environment's units; what is drawn outside is clipped."""
        return super().unscale_action(np.clip(scaled_action, -1.0, 1.0))

    def set_training_mode(self, mode: bool) -> None:
        """Targets stay in evaluation mode."""
        super().set_training_mode(mode)
        self.state_values.set_training_mode(mode)


class ActorValuePolicy(ActorValues, ConstrainedPolicy):
    """For vectors."""


class CnnPolicy(ActorValues, ConstrainedPolicy):
    """For image observations."""

    default_extractor: ClassVar[type[BaseFeaturesExtractor]] = NatureCNN


class MultiInputPolicy(ActorValues, ConstrainedPolicy):
    """For Dict observations."""

    default_extractor: ClassVar[type[BaseFeaturesExtractor]] = CombinedExtractor


MlpPolicy = ActorValuePolicy
