"""A Gaussian actor whose mean stays inside the action box; samples are not squashed.

Source: the public CVPO uses a bounded mean, an unsquashed Gaussian and a full Cholesky factor;
FSRL a diagonal one. Both are offered. The E-step scores clipped samples, the M-step fits raw ones.
"""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, create_mlp
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor, nn

from safer_gym.agents.networks.ensemble import ACTIVATIONS
from safer_gym.agents.networks.state_noise import StateDependentNoise
from safer_gym.bounds.errors import NotCoveredError
from safer_gym.bounds.heads import SigmoidStd
from safer_gym.bounds.modules import live_layers, sequential_layers
from safer_gym.bounds.network import Affine
from safer_gym.bounds.policy import PolicyLayers
from safer_gym.choices import choose
from safer_gym.networks import Layer, mlp
from safer_gym.types import Gaussian

COVARIANCES = ("diagonal", "full", "constant", "gsde")


class GaussianActor(BasePolicy):
    """pi(a|s) = N(mean(s), covariance(s)) in the scaled action box [-1, 1].

    Args:
        min_std, max_std: bounds of each standard deviation (of the Cholesky diagonal).
        init_std: standard deviation of an untrained network.
        covariance: "diagonal" or "full" (a Cholesky factor), both state-dependent, or "constant":
            one learned deviation for each action, the same in all states, or "gsde":
            state-dependent exploration, whose deviations have no bounds.
        log_std_init, use_expln: of "gsde".
    """

    action_space: spaces.Box

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        net_arch: list[int],
        features_extractor: BaseFeaturesExtractor,
        features_dim: int,
        activation_fn: type[nn.Module] = nn.ReLU,
        normalize_images: bool = True,
        min_std: float = 0.1,
        max_std: float = 0.6,
        init_std: float = 0.45,
        covariance: str = "diagonal",
        log_std_init: float = -2.0,
        use_expln: bool = False,
    ) -> None:
        super().__init__(
            observation_space,
            action_space,
            features_extractor=features_extractor,
            normalize_images=normalize_images,
            squash_output=True,
        )
        if not 0.0 < min_std < init_std < max_std:
            raise ValueError(
                "min_std, init_std and max_std must satisfy 0 < min_std < init_std < max_std; got "
                f"{min_std}, {init_std} and {max_std}."
            )
        self.net_arch, self.features_dim, self.activation_fn = net_arch, features_dim, activation_fn
        self.min_std, self.max_std, self.init_std = min_std, max_std, init_std
        self.covariance = choose("covariance", covariance, COVARIANCES)
        self.log_std_init, self.use_expln = log_std_init, use_expln
        action_dim = get_action_dim(action_space)
        self.latent = nn.Sequential(*create_mlp(features_dim, -1, net_arch, activation_fn))
        width = net_arch[-1] if net_arch else features_dim
        n_tril = action_dim * (action_dim - 1) // 2 if self.covariance == "full" else 0
        self.mean_head = nn.Linear(width, action_dim)
        if self.covariance == "constant":
            self.raw_std = nn.Parameter(torch.zeros(action_dim))
        elif self.covariance == "gsde":
            self.noise = StateDependentNoise(width, action_dim, float(log_std_init), use_expln)
        else:
            self.scale_head = nn.Linear(width, action_dim + n_tril)
        share = (init_std - min_std) / (max_std - min_std)
        self._std_offset = float(torch.logit(torch.tensor(share)))

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = ["net_arch", "features_extractor", "features_dim", "activation_fn", "min_std"]
        own += ["max_std", "init_std", "covariance", "log_std_init", "use_expln"]
        return {
            **super()._get_constructor_parameters(),
            **{name: getattr(self, name) for name in own},
        }

    def distribution(self, obs: PyTorchObs) -> Gaussian:
        """Action distribution: mean [B, A]; scale [B, A] or a Cholesky factor [B, A, A]."""
        features = self.extract_features(obs, self.features_extractor)
        if self.covariance == "constant":
            mean = torch.tanh(self._heads(features, self.mean_head)[0])
            return Gaussian(mean, self._std(self.raw_std).expand_as(mean))
        if self.covariance == "gsde":
            latent = self.latent(features)
            return Gaussian(torch.tanh(self.mean_head(latent)), self.noise.scale(latent))
        mean, raw = self._heads(features, self.mean_head, self.scale_head)
        mean, action_dim = torch.tanh(mean), mean.shape[-1]
        std = self._std(raw[..., :action_dim])
        if self.covariance == "diagonal":
            return Gaussian(mean, std)
        rows, columns = torch.tril_indices(action_dim, action_dim, offset=-1, device=mean.device)
        off_diagonal = self.max_std * torch.tanh(raw[..., action_dim:])
        factor = torch.diag_embed(std)
        factor[..., rows, columns] = off_diagonal
        return Gaussian(mean, factor)

    def _std(self, raw: Tensor) -> Tensor:
        share = torch.sigmoid(raw + self._std_offset)
        return self.min_std + (self.max_std - self.min_std) * share

    def _heads(self, features: Tensor, *heads: nn.Linear) -> tuple[Tensor, ...]:
        """What `heads` say of `features` [B, F]; learning has its gradient written out."""
        activation = ACTIVATIONS.get(self.activation_fn)
        if activation is None or not (self.training and torch.is_grad_enabled()):
            latent = self.latent(features)
            return tuple(head(latent) for head in heads)
        linear = [part for part in self.latent if isinstance(part, nn.Linear)]
        layers = [Layer(part.weight.mT, part.bias) for part in linear]
        weight = torch.cat([head.weight for head in heads])
        bias = torch.cat([head.bias for head in heads])
        joined = mlp(features, [*layers, Layer(weight.mT, bias)], activation)
        return joined.split([head.out_features for head in heads], dim=-1)

    def policy_layers(self) -> PolicyLayers:
        """The network and its heads, as bounds over every adversary take them.

        Raises:
            NotCoveredError: an activation that no bound covers.
        """
        if self.covariance == "gsde":
            raise NotCoveredError(
                "gSDE of GaussianActor", "its noise is not a Gaussian fresh at every step"
            )
        n = self.mean_head.out_features
        is_constant = self.covariance == "constant"
        heads = (self.mean_head,) if is_constant else (self.mean_head, self.scale_head)
        joined = Affine(
            torch.cat([head.weight.detach() for head in heads]),
            torch.cat([head.bias.detach() for head in heads]),
        )
        scale: Any = SigmoidStd(
            self.min_std, self.max_std, self._std_offset, n, self.covariance == "full"
        )
        return PolicyLayers(
            (*sequential_layers(self.latent), joined),
            n,
            squash="tanh",
            scale=self._std(self.raw_std.detach().double()) if is_constant else scale,
            describe="the stochastic policy",
        )

    def live_mean(self) -> PolicyLayers:
        """The network of the mean, without noise, as learning encloses it: it carries gradients.

        Raises:
            NotCoveredError: an activation that no bound covers.
        """
        layers = live_layers((*self.latent, self.mean_head))
        return PolicyLayers(layers, self.mean_head.out_features, squash="tanh")

    def forward(self, obs: PyTorchObs, deterministic: bool = False) -> Tensor:
        if deterministic or self.covariance == "gsde":
            latent = self.latent(self.extract_features(obs, self.features_extractor))
            mean = torch.tanh(self.mean_head(latent))
            return mean if deterministic else mean + self.noise(latent)
        mean, scale = self.distribution(obs)
        noise = torch.randn_like(mean)
        if self.covariance == "full":
            return mean + (scale @ noise.unsqueeze(-1)).squeeze(-1)
        return mean + scale * noise

    def reset_noise(self, n_envs: int = 1) -> None:
        """Draw the matrices of "gsde" anew, one an environment; without it nothing is kept."""
        if self.covariance == "gsde":
            self.noise.reset(n_envs)

    def get_std(self) -> Tensor:
        """Standard deviations of the matrices of "gsde", [H, A]."""
        return self.noise.std()

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        return self(observation, deterministic).clamp(-1.0, 1.0)
