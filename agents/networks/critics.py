"""Twin (or K-fold) critics over any observation space that Stable-Baselines3 can read."""

from __future__ import annotations

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BaseModel
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor, nn

from safer_gym.agents.networks.ensemble import EnsembleMLP


class QEnsemble(BaseModel):
    """K action values of one signal (reward or cost); actions in [-1, 1].

    Calling it follows Stable-Baselines3's critics: a tuple of K tensors [B, 1]. `values` scores
    many actions for each state.
    """

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
        n_critics: int = 2,
        share_features_extractor: bool = False,
    ) -> None:
        super().__init__(
            observation_space,
            action_space,
            features_extractor=features_extractor,
            normalize_images=normalize_images,
        )
        self.share_features_extractor = share_features_extractor
        self.n_critics = n_critics
        self.ensemble = EnsembleMLP(
            features_dim, get_action_dim(action_space), net_arch, n_critics, activation_fn
        )

    def values(self, obs: PyTorchObs, actions: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Score actions [..., B, A] in observations [B, *O]; returns [K, ..., B].

        Without gradients, `dtype` may name fewer bits for the products between hidden layers.
        """
        # A shared extractor learns from the policy's loss alone.
        keep_graph = torch.is_grad_enabled() and not self.share_features_extractor
        with torch.set_grad_enabled(keep_graph):
            features = self.extract_features(obs, self.features_extractor)
        return self.ensemble(features, actions, dtype)

    def forward(self, obs: PyTorchObs, actions: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.values(obs, actions).unsqueeze(-1))
