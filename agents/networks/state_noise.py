"""Generalised state-dependent exploration (gSDE; Raffin et al., CoRL 2021)."""

from __future__ import annotations

import torch
from stable_baselines3.common.distributions import StateDependentNoiseDistribution
from torch import Tensor, nn


class StateDependentNoise(nn.Module):
    """Noise that is linear in the last hidden layer, by a random matrix kept until `reset`.

    Over all matrices, the noise in a state is a Gaussian, with which the losses reckon.

    Args:
        log_std_init: logarithm of the first standard deviation of the matrix's entries.
        use_expln: a deviation that grows more slowly than the exponential.
    """

    def __init__(
        self, latent_dim: int, action_dim: int, log_std_init: float, use_expln: bool
    ) -> None:
        super().__init__()
        self._matrices = StateDependentNoiseDistribution(action_dim, use_expln=use_expln)
        self.log_std = nn.Parameter(torch.full((latent_dim, action_dim), log_std_init))
        self.reset()

    @torch.no_grad()
    def reset(self, n_envs: int = 1) -> None:
        """Draw the matrices anew, one an environment."""
        self._matrices.sample_weights(self.log_std, n_envs)

    def std(self) -> Tensor:
        """Of the matrix's entries, [H, A]."""
        return self._matrices.get_std(self.log_std)

    def scale(self, latent: Tensor) -> Tensor:
        """Standard deviations of the noise in states of hidden layers [B, H], [B, A]."""
        variance = latent.detach().square() @ self.std().square()
        return (variance + self._matrices.epsilon).sqrt()

    def forward(self, latent: Tensor) -> Tensor:
        """The noise of the present matrices, [B, A]."""
        return self._matrices.get_noise(latent)
