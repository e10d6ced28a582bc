"""SAC's policies with a cost critic; all critics are ours, which score many actions at once."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch
from stable_baselines3.common.torch_layers import (
    BaseFeaturesExtractor,
    CombinedExtractor,
    FlattenExtractor,
    NatureCNN,
)
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from stable_baselines3.sac.policies import Actor, SACPolicy
from torch import Tensor, nn

from safer_gym.agents.arguments import require_known
from safer_gym.agents.networks.critics import QEnsemble
from safer_gym.types import Gaussian


class LagrangianActor(Actor):
    """SAC's actor, with what a victim needs of one."""

    def forward(self, obs: PyTorchObs, deterministic: bool = False) -> Tensor:
        if deterministic:
            return torch.tanh(self.get_action_dist_params(obs)[0])
        return super().forward(obs, deterministic)

    def distribution(self, obs: PyTorchObs) -> Gaussian:
        """The Gaussian before squashing: mean and scale, each [B, A]."""
        mean, log_std, extra = self.get_action_dist_params(obs)
        own: Any = copy.copy(self.action_dist)  # the actor's own keeps what it has sampled
        normal = own.proba_distribution(mean, log_std, **extra).distribution
        return Gaussian(normal.mean, normal.stddev)

    @property
    def latent(self) -> nn.Sequential:
        """The hidden layers."""
        return self.latent_pi

    @property
    def mean_head(self) -> nn.Module:
        """From the last hidden layer to the mean before squashing."""
        return self.mu


class LagrangianPolicy(SACPolicy):
    """SAC's policy with a cost critic.

    Args are those of Stable-Baselines3's SACPolicy, and:
        n_cost_critics: cost critics, beside the `n_critics` of the reward.

    Raises:
        ValueError: for an option that there is not; names the nearest one.
    """

    default_extractor: ClassVar[type[BaseFeaturesExtractor]] = FlattenExtractor
    critic: QEnsemble  # type: ignore[assignment]
    critic_target: QEnsemble  # type: ignore[assignment]
    cost_critic: QEnsemble
    cost_critic_target: QEnsemble

    def __init__(self, *args: Any, n_cost_critics: int = 1, **kwargs: Any) -> None:
        own = (SACPolicy.__init__, LagrangianPolicy.__init__)
        require_known("policy_kwargs", kwargs, *own)
        self.n_cost_critics = n_cost_critics
        kwargs.setdefault("features_extractor_class", self.default_extractor)
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        shared = self.actor.features_extractor if self.share_features_extractor else None
        self.cost_critic = self._ensemble(self.n_cost_critics, shared)
        self.cost_critic_target = self._ensemble(self.n_cost_critics, None)
        self.cost_critic_target.load_state_dict(self.cost_critic.state_dict())
        self.cost_critic_target.set_training_mode(False)
        own = [
            weight
            for name, weight in self.cost_critic.named_parameters()
            if shared is None or "features_extractor" not in name
        ]
        options: dict[str, Any] = {"lr": lr_schedule(1)} | self.optimizer_kwargs
        self.cost_critic.optimizer = self.optimizer_class(own, **options)

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Actor:
        kwargs = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return LagrangianActor(**kwargs).to(self.device)

    def make_critic(  # type: ignore[override]
        self, features_extractor: BaseFeaturesExtractor | None = None
    ) -> QEnsemble:
        kwargs: dict[str, Any] = self.critic_kwargs
        return self._ensemble(kwargs["n_critics"], features_extractor)

    def _ensemble(self, n_critics: int, extractor: BaseFeaturesExtractor | None) -> QEnsemble:
        kwargs = self._update_features_extractor(self.critic_kwargs, extractor)
        return QEnsemble(**(kwargs | {"n_critics": n_critics})).to(self.device)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "n_cost_critics": self.n_cost_critics}

    def set_training_mode(self, mode: bool) -> None:
        """Targets stay in evaluation mode."""
        super().set_training_mode(mode)
        self.cost_critic.set_training_mode(mode)


class CnnPolicy(LagrangianPolicy):
    """For image observations."""

    default_extractor = NatureCNN


class MultiInputPolicy(LagrangianPolicy):
    """For Dict observations."""

    default_extractor = CombinedExtractor


MlpPolicy = LagrangianPolicy
