"""DRAC's players and its multiplier."""

from __future__ import annotations

import math
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BaseModel
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, create_mlp
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor, nn
from torch.nn.functional import softplus

from safer_gym.bounds.heads import ExpStd
from safer_gym.bounds.network import Affine, sequential_layers
from safer_gym.bounds.policy import PolicyLayers
from safer_gym.types import Gaussian

LOG_STD = (-5.0, 2.0)
"""Bounds of the logarithm of the task policy's standard deviation."""


class Player(BaseModel):
    """Hidden layers and a tanh on a linear head: pi_h, mu and mu_h; values in [-1, 1]."""

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
    ) -> None:
        super().__init__(
            observation_space,
            action_space,
            features_extractor=features_extractor,
            normalize_images=normalize_images,
        )
        self.latent = nn.Sequential(*create_mlp(features_dim, -1, net_arch, activation_fn))
        self.width = net_arch[-1] if net_arch else features_dim
        self.mean_head = nn.Linear(self.width, get_action_dim(action_space))

    def forward(self, obs: PyTorchObs) -> Tensor:
        return torch.tanh(self.mean_head(self._hidden(obs)))

    def _hidden(self, obs: PyTorchObs) -> Tensor:
        return self.latent(self.extract_features(obs, self.features_extractor))


class TaskPlayer(Player):
    """pi: a Gaussian squashed by tanh, as SAC's; `forward` is its deterministic action."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scale_head = nn.Linear(self.width, self.mean_head.out_features)

    def sample(self, obs: PyTorchObs) -> tuple[Tensor, Tensor]:
        """Actions [B, A] and their log-densities [B]."""
        mean, scale = self.distribution(obs)
        noise = torch.randn_like(mean)
        raw = mean + scale * noise
        # log(1 - tanh^2), written so that no difference of near numbers is taken.
        squash = 2 * (math.log(2) - raw - softplus(-2 * raw))
        density = -0.5 * noise.square() - scale.log() - squash - 0.5 * math.log(2 * math.pi)
        return torch.tanh(raw), density.sum(-1)

    def distribution(self, obs: PyTorchObs) -> Gaussian:
        """The Gaussian before squashing: mean and scale, each [B, A]."""
        hidden = self._hidden(obs)
        mean, log_std = self.mean_head(hidden), self.scale_head(hidden)
        return Gaussian(mean, log_std.clamp(*LOG_STD).exp())

    def policy_layers(self) -> PolicyLayers:
        """The network and its heads, as bounds over every adversary take them.

        Raises:
            NotCoveredError: an activation that no bound covers.
        """
        heads = (self.mean_head, self.scale_head)
        joined = Affine(
            torch.cat([head.weight.detach() for head in heads]),
            torch.cat([head.bias.detach() for head in heads]),
        )
        return PolicyLayers(
            (*sequential_layers(self.latent), joined),
            self.mean_head.out_features,
            scale=ExpStd(*LOG_STD),
            describe="the stochastic task policy",
        )


class MultiplierNet(Player):
    """lambda(x) >= 0, [B], by a softplus."""

    START = 0.1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mean_head = nn.Linear(self.width, 1)
        nn.init.constant_(self.mean_head.bias, math.log(math.expm1(self.START)))

    def forward(self, obs: PyTorchObs) -> Tensor:
        return softplus(self.mean_head(self._hidden(obs)).squeeze(-1))


class Number(nn.Module):
    """One positive number that learns, kept as its logarithm: the temperature, or one multiplier.

    Args:
        start: its first value.
    """

    optimizer: torch.optim.Optimizer

    def __init__(self, start: float) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(math.log(start)))

    def forward(self) -> Tensor:
        return self.log.exp()
