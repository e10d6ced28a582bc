"""SAC's policies with a cost critic."""

from __future__ import annotations

import copy
from typing import Any

import torch
from stable_baselines3.common.torch_layers import CombinedExtractor, NatureCNN
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.sac.policies import Actor, SACPolicy
from torch import Tensor, nn

from safer_gym.agents.lagrangian.cost_critic import CostCritic
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


class LagrangianPolicy(CostCritic, SACPolicy):
    """SAC's policy with a cost critic; see `CostCritic`."""

    BASE, ACTOR = SACPolicy, LagrangianActor


class CnnPolicy(CostCritic, SACPolicy):
    """For image observations."""

    BASE, ACTOR = SACPolicy, LagrangianActor
    default_extractor = NatureCNN


class MultiInputPolicy(CostCritic, SACPolicy):
    """For Dict observations."""

    BASE, ACTOR = SACPolicy, LagrangianActor
    default_extractor = CombinedExtractor


MlpPolicy = LagrangianPolicy
