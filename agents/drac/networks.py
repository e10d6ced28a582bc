"""DRAC's players and its multiplier.

Each network gives its outputs together with a function from the gradient by them to the gradients
of its weights. Losses are then small expressions of outputs, and no network learns from another's
loss. Plain networks have their derivatives written out (safer_gym.networks): at these sizes
autograd costs as much as the products.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BaseModel
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, create_mlp
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor, nn
from torch.nn.functional import softplus

from safer_gym.agents.networks.ensemble import ACTIVATIONS
from safer_gym.agents.networks.plain import reads_flat
from safer_gym.bounds.heads import ExpStd
from safer_gym.bounds.modules import sequential_layers
from safer_gym.bounds.policy import PolicyLayers
from safer_gym.networks import Chain, Layer
from safer_gym.types import Gaussian

LOG_STD = (-5.0, 2.0)
"""Bounds of the logarithm of the task policy's standard deviation."""
LEAST_SLOPE = 0.1
"""Of a player's tanh, inwards. Ours."""
Learn = Callable[[Tensor], list[Tensor]]
"""From a gradient by outputs [B, O] to those of a network's weights."""


class Player(BaseModel):
    """Hidden layers, a linear head and a tanh: pi_h, mu and mu_h; values in [-1, 1]."""

    features_extractor: BaseFeaturesExtractor
    optimizer: torch.optim.Optimizer

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
        self.n_moves = get_action_dim(action_space)
        width = net_arch[-1] if net_arch else features_dim
        self.latent = nn.Sequential(*create_mlp(features_dim, -1, net_arch, activation_fn))
        self.head = nn.Linear(width, self._n_outputs())
        self.activation = ACTIVATIONS.get(activation_fn) if reads_flat(self) else None

    def _n_outputs(self) -> int:
        return self.n_moves

    def forward(self, obs: PyTorchObs) -> Tensor:
        return torch.tanh(self.outputs(obs))

    def outputs(self, obs: PyTorchObs) -> Tensor:
        """Of the head, [B, O]."""
        features = self.extract_features(obs, self.features_extractor)
        out: Tensor = self.head(self.latent(features))
        return out

    def heard(self, obs: PyTorchObs) -> tuple[Tensor, Learn]:
        """Outputs [B, O] as a leaf of autograd, and what the weights learn by them."""
        if self.activation is None:
            out = self.outputs(obs)
            own = self.optimizer.param_groups[0]["params"]
            return _leaf(out), lambda upstream: list(torch.autograd.grad(out, own, upstream))
        with torch.no_grad():
            linear = [part for part in (*self.latent, self.head) if isinstance(part, nn.Linear)]
            chain = Chain([Layer(part.weight.mT, part.bias) for part in linear], self.activation)
            rows = self.extract_features(obs, self.features_extractor)
            values = chain.forward(torch.addmm(chain.biases[0], rows, chain.weights[0]))

        @torch.no_grad()
        def learn(upstream: Tensor) -> list[Tensor]:
            _, found = chain.learn(upstream, rows, values)
            return [part.mT if index % 2 == 0 else part[0] for index, part in enumerate(found)]

        return _leaf(values[-1]), learn

    def play(self, obs: PyTorchObs) -> tuple[Tensor, Learn]:
        """Moves [B, D] in [-1, 1], and what the weights learn by them."""
        outputs, learn = self.heard(obs)
        moves = torch.tanh(outputs.detach())
        return moves, lambda upstream: learn(upstream * leaving_slope(moves, upstream))


def leaving_slope(moves: Tensor, upstream: Tensor) -> Tensor:
    """The tanh's slope at its values, or `LEAST_SLOPE` where a descent leads away from an end.

    A player that is at one end everywhere would else stay there for good, and an adversary that
    does makes the learned set too large.

    Args:
        moves, upstream: the tanh's values, and the gradient by them [B, D].
    """
    slope = 1 - moves.square()
    return torch.where(moves * upstream > 0, slope.clamp(min=LEAST_SLOPE), slope)


class TaskPlayer(Player):
    """pi: a Gaussian squashed by tanh, as SAC's; `forward` is its deterministic action."""

    def _n_outputs(self) -> int:
        return 2 * self.n_moves

    def forward(self, obs: PyTorchObs) -> Tensor:
        return torch.tanh(self.outputs(obs)[:, : self.n_moves])

    def distribution(self, obs: PyTorchObs) -> Gaussian:
        """The Gaussian before squashing: mean and scale, each [B, A]."""
        return _gaussian(self.outputs(obs))

    def sample(self, obs: PyTorchObs) -> tuple[Tensor, Tensor]:
        """Actions [B, A] and their log-densities [B]."""
        return squashed(self.outputs(obs))

    def policy_layers(self) -> PolicyLayers:
        """The network and its head, as bounds over every adversary take them.

        Raises:
            NotCoveredError: an activation that no bound covers.
        """
        return PolicyLayers(
            sequential_layers([self.latent, self.head]),
            self.n_moves,
            scale=ExpStd(*LOG_STD),
            describe="the stochastic task policy",
            tanh_follows=True,
        )


class MultiplierNet(Player):
    """lambda(x) >= 0, [B], by a softplus."""

    START = 0.1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        nn.init.constant_(self.head.bias, math.log(math.expm1(self.START)))

    def _n_outputs(self) -> int:
        return 1

    def forward(self, obs: PyTorchObs) -> Tensor:
        return softplus(self.outputs(obs).squeeze(-1))


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


def squashed(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Actions [B, A] of a Gaussian squashed by tanh, and their log-densities [B].

    Args:
        outputs: mean and logarithm of the scale, [B, 2 A].
    """
    mean, scale = _gaussian(outputs)
    noise = torch.randn_like(mean)
    raw = mean + scale * noise
    # log(1 - tanh^2), written so that no difference of near numbers is taken.
    squash = 2 * (math.log(2) - raw - softplus(-2 * raw))
    density = -0.5 * noise.square() - scale.log() - squash - 0.5 * math.log(2 * math.pi)
    return torch.tanh(raw), density.sum(-1)


def _gaussian(outputs: Tensor) -> Gaussian:
    mean, log_std = outputs.chunk(2, dim=-1)
    return Gaussian(mean, Held.apply(log_std, *LOG_STD).exp())


class Held(torch.autograd.Function):
    """A number held between two bounds, whose gradient passes beyond them where it leads back.

    Ours. Imitation presses the deviation to its lower bound, outside of the set and by shared
    weights inside; clamping alone has no gradient there, and the temperature would grow for ever.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(value)
        ctx.bounds = low, high
        return value.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        (value,), (low, high), (by_held,) = ctx.saved_tensors, ctx.bounds, upstream
        leaves = ((value < low) & (by_held > 0)) | ((value > high) & (by_held < 0))
        return torch.where(leaves, 0.0, by_held), None, None


def _leaf(outputs: Tensor) -> Tensor:
    return outputs.detach().requires_grad_(True)
