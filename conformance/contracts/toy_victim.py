"""A small victim of known weights, for judging attacks without any policy or environment."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from safer_gym.balls import LpBall
from safer_gym.types import Gaussian, Victim


class ToyVictim(NamedTuple):
    """Networks of a policy with two actions and of its critics, over flattened observations."""

    actor: nn.Module
    reward: nn.Module
    cost: nn.Module

    def victim(self) -> Victim:
        """As attacks see it."""

        def critic(net: nn.Module, obs: Tensor, action: Tensor) -> Tensor:
            value: Tensor = net(torch.cat([obs.flatten(1), action], -1))[:, 0]
            return value

        def action(obs: Tensor) -> Tensor:
            return torch.tanh(self.actor(obs.flatten(1)))

        return Victim(
            action=action,
            q_reward=lambda obs, act: critic(self.reward, obs, act),
            q_cost=lambda obs, act: critic(self.cost, obs, act),
            distribution=lambda obs: Gaussian(action(obs), torch.full_like(action(obs), 0.3)),
        )


def toy_victim(obs_shape: tuple[int, ...], seed: int, dtype: torch.dtype) -> ToyVictim:
    """Two curved layers each, drawn from a generator of their own."""
    generator = torch.Generator().manual_seed(seed)
    d = math.prod(obs_shape)
    return ToyVictim(*(_net(i, o, generator, dtype) for i, o in ((d, 2), (d + 2, 1), (d + 2, 1))))


def linear_optimum(gain: Tensor, ball: LpBall) -> Tensor:
    """max of gain . delta over a ball of one radius, without a box: eps times the dual norm."""
    dual = {1.0: math.inf, 2.0: 2.0, math.inf: 1.0}[ball.p]
    return float(ball.eps) * torch.linalg.vector_norm(gain, ord=dual)


def linear_victim(gain: Tensor) -> Victim:
    """mu(s) = gain . s in one dimension, and Q_c(s, a) = a: optima are dual norms."""
    return Victim(
        action=lambda obs: (obs.flatten(1) @ gain)[:, None],
        q_reward=lambda obs, action: -action[:, 0],
        q_cost=lambda obs, action: action[:, 0],
    )


def observations(obs_shape: tuple[int, ...], rows: int, seed: int, dtype: torch.dtype) -> Tensor:
    """Standard normal observations [rows, *O]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, *obs_shape, dtype=torch.float64, generator=generator).to(dtype)


def _net(
    inputs: int, outputs: int, generator: torch.Generator, dtype: torch.dtype
) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        net = nn.Sequential(nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, outputs)).to(dtype)
    with torch.no_grad():
        for parameter in net.parameters():
            drawn = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
            parameter.copy_(drawn / math.sqrt(parameter.shape[-1]) * 2)
    return net
