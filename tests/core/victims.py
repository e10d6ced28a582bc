"""Victims with known answers, shared by the attack tests."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from safer_gym.types import Gaussian, Victim


class Linear(NamedTuple):
    """mu(s) = K s, Q_c = w a + v s, Q_r = -w a: all answers are dual norms of K^T w."""

    gain: Tensor
    weights: Tensor

    @property
    def slope(self) -> Tensor:
        return self.gain.T @ self.weights

    def victim(self, scale: float = 1.0) -> Victim:
        return Victim(
            action=lambda s: s @ self.gain.T,
            q_cost=lambda s, a: scale * (a @ self.weights + 3.0 * s.sum(-1)),
            q_reward=lambda s, a: -scale * (a @ self.weights),
            distribution=lambda s: Gaussian(s @ self.gain.T, torch.full_like(s @ self.gain.T, 0.5)),
        )


def linear(seed: int, obs_dim: int = 5, action_dim: int = 2) -> Linear:
    generator = torch.Generator().manual_seed(seed)
    gain = torch.randn(action_dim, obs_dim, dtype=torch.float64, generator=generator)
    return Linear(gain, torch.randn(action_dim, dtype=torch.float64, generator=generator))


class Nets(NamedTuple):
    """Small networks of a policy and its critics."""

    actor: nn.Module
    reward: nn.Module
    cost: nn.Module

    def victim(self, scale: float = 1.0) -> Victim:
        return Victim(
            action=lambda s: torch.tanh(self.actor(s)),
            q_cost=lambda s, a: scale * self.cost(torch.cat([s, a], -1))[:, 0],
            q_reward=lambda s, a: scale * self.reward(torch.cat([s, a], -1))[:, 0],
            distribution=lambda s: Gaussian(
                torch.tanh(self.actor(s)), 0.2 + torch.sigmoid(s[:, :2])
            ),
        )


def nets(seed: int, obs_dim: int = 5, dtype: torch.dtype = torch.float64) -> Nets:
    """Networks with a good deal of curvature; actions have two dimensions."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = [
            nn.Sequential(
                nn.Linear(i, 32), nn.Tanh(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, o)
            )
            for i, o in ((obs_dim, 2), (obs_dim + 2, 1), (obs_dim + 2, 1))
        ]
        for net in made:
            for parameter in net.parameters():
                if parameter.dim() > 1:
                    nn.init.orthogonal_(parameter, 2.0)
    return Nets(*(net.to(dtype) for net in made))


def observations(seed: int, rows: int = 6, obs_dim: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, obs_dim, dtype=torch.float64, generator=generator)
