"""The policy object: one actor, reward critics, cost critics and the targets of both."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.torch_layers import (
    BaseFeaturesExtractor,
    CombinedExtractor,
    FlattenExtractor,
    NatureCNN,
)
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import Tensor, nn

from safer_gym.agents.networks.actors import GaussianActor
from safer_gym.agents.networks.critics import QEnsemble
from safer_gym.agents.networks.spec import ActorCritics, Net


class ConstrainedPolicy(BasePolicy):
    """Actor and critics of a constrained off-policy algorithm.

    Args follow Stable-Baselines3's SACPolicy, and:
        n_critics: reward critics; n_cost_critics: cost critics.
        actor_kwargs: options of GaussianActor (min_std, max_std, init_std, covariance).
        use_sde: state-dependent exploration, with log_std_init and use_expln.
        critic_learning_rate: fixed rate of both critics' optimisers; None follows the actor's.
    """

    actor: GaussianActor
    critic: QEnsemble
    cost_critic: QEnsemble
    actor_target: GaussianActor
    critic_target: QEnsemble
    cost_critic_target: QEnsemble
    default_extractor: ClassVar[type[BaseFeaturesExtractor]] = FlattenExtractor

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        lr_schedule: Schedule,
        net_arch: list[int] | dict[str, list[int]] | None = None,
        activation_fn: type[nn.Module] = nn.ReLU,
        features_extractor_class: type[BaseFeaturesExtractor] | None = None,
        features_extractor_kwargs: dict[str, Any] | None = None,
        normalize_images: bool = True,
        optimizer_class: type[torch.optim.Optimizer] = torch.optim.Adam,
        optimizer_kwargs: dict[str, Any] | None = None,
        n_critics: int = 1,
        n_cost_critics: int = 1,
        share_features_extractor: bool = False,
        actor_kwargs: dict[str, Any] | None = None,
        use_sde: bool = False,
        log_std_init: float = -2.0,
        use_expln: bool = False,
    ) -> None:
        super().__init__(
            observation_space,
            action_space,
            features_extractor_class or self.default_extractor,
            features_extractor_kwargs,
            optimizer_class=optimizer_class,
            optimizer_kwargs=optimizer_kwargs,
            squash_output=True,
            normalize_images=normalize_images,
        )
        self.net_arch = [256, 256] if net_arch is None else net_arch
        self.activation_fn = activation_fn
        self.n_critics, self.n_cost_critics = n_critics, n_cost_critics
        self.share_features_extractor = share_features_extractor
        self.actor_kwargs = dict(actor_kwargs or {})
        self.use_sde, self.log_std_init, self.use_expln = use_sde, log_std_init, use_expln
        if use_sde:
            sde = {"covariance": "gsde", "log_std_init": log_std_init, "use_expln": use_expln}
            self.actor_kwargs |= sde
        self._spec().build_on(self, lr_schedule(1))

    def _spec(self) -> ActorCritics:
        return ActorCritics(
            actors={"actor": Net(GaussianActor, self.actor_kwargs)},
            critics={
                "critic": Net(QEnsemble, {"n_critics": self.n_critics}),
                "cost_critic": Net(QEnsemble, {"n_critics": self.n_cost_critics}),
            },
        )

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = ["net_arch", "activation_fn", "n_critics", "n_cost_critics", "actor_kwargs"]
        own += ["share_features_extractor", "features_extractor_class"]
        own += ["features_extractor_kwargs", "optimizer_class", "optimizer_kwargs"]
        own += ["use_sde", "log_std_init", "use_expln"]
        return {
            **super()._get_constructor_parameters(),
            **{name: getattr(self, name) for name in own},
            "lr_schedule": self._dummy_schedule,
        }

    def forward(self, obs: PyTorchObs, deterministic: bool = False) -> Tensor:
        return self._predict(obs, deterministic)

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        return self.actor._predict(observation, deterministic)

    def reset_noise(self, n_envs: int = 1) -> None:
        """As in Stable-Baselines3: new noise of state-dependent exploration."""
        self.actor.reset_noise(n_envs)

    def set_training_mode(self, mode: bool) -> None:
        """Targets stay in evaluation mode."""
        for net in (self.actor, self.critic, self.cost_critic):
            net.set_training_mode(mode)
        self.training = mode


class CnnPolicy(ConstrainedPolicy):
    """For image observations."""

    default_extractor = NatureCNN


class MultiInputPolicy(ConstrainedPolicy):
    """For Dict observations."""

    default_extractor = CombinedExtractor


MlpPolicy = ConstrainedPolicy
