"""Which actors and critics are plain multilayer perceptrons of a flat observation.

Those get derivatives without autograd (safer_gym.networks); all others stay as they are.
"""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BaseModel
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor, nn

from safer_gym.agents.networks.critics import QEnsemble
from safer_gym.agents.networks.ensemble import ACTIVATIONS
from safer_gym.networks import Layer, MlpAction, MlpCritic
from safer_gym.types import ActionFn, QFn


def with_pull(function: ActionFn, actor: Any, low: Tensor, half: Tensor) -> ActionFn:
    """`function`, the actor's mean in [low, low + 2 half], with its pull-back where possible.

    `actor` is a GaussianActor, or another with its `latent` layers and `mean_head`.
    """
    activation = ACTIVATIONS.get(actor.activation_fn)
    if activation is None or not reads_flat(actor) or type(actor.mean_head) is not nn.Linear:
        return function
    linear = [part for part in actor.latent if isinstance(part, nn.Linear)]
    layers = [
        Layer(part.weight.detach().mT, part.bias.detach()) for part in [*linear, actor.mean_head]
    ]
    return MlpAction(function, layers, activation, low, half)


def with_slope(
    function: QFn, critic: QEnsemble, aggregation: str, low: Tensor, half: Tensor
) -> QFn:
    """`function`, the aggregated critic, with its slope by the action where possible."""
    activation = written_out(critic)
    if activation is None:
        return function
    layers = [Layer(weight.detach(), bias.detach()) for weight, bias in critic.ensemble.layers]
    return MlpCritic(function, layers, activation, aggregation, low, half)


def slope(critic: QEnsemble, obs: PyTorchObs, actions: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest member's values [B] of actions [B, A], and their gradients by them [B, A]."""
    if written_out(critic) is None:
        held = actions.detach().requires_grad_(True)
        value = critic.values(obs, held).amin(0)
        return value.detach(), torch.autograd.grad(value.sum(), held)[0]
    unit = torch.ones(actions.shape[1])  # of other units, which do not matter here
    written: Any = with_slope(critic.values, critic, "min", -unit, unit)
    with torch.no_grad():
        features = critic.extract_features(obs, critic.features_extractor)
        result: tuple[Tensor, Tensor] = written.at(features).slope(actions.detach())
    return result


def written_out(critic: QEnsemble) -> str | None:
    """The activation of a critic whose derivatives are written out; None for all others."""
    return ACTIVATIONS.get(type(critic.ensemble.activation)) if reads_flat(critic) else None


def reads_flat(net: BaseModel) -> bool:
    """Whether the network takes a vector as it is, each row by itself."""
    space = net.observation_space
    is_vector = isinstance(space, spaces.Box) and len(space.shape) == 1
    return is_vector and type(net.features_extractor) is FlattenExtractor
