"""What a model of Stable-Baselines3 learned on latent actions, as layers in a row.

Layers go into a file as data: the name of each, and the numbers that it is built with.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor, MlpExtractor
from torch import nn

from safer_gym.choices import choose

KINDS: dict[str, type[nn.Module]] = {
    kind.__name__: kind
    for kind in (
        *(nn.Linear, nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.ELU, nn.CELU, nn.SELU, nn.SiLU, nn.GELU),
        *(nn.Mish, nn.Sigmoid, nn.Softplus, nn.Softsign, nn.Hardtanh),
    )
}
"""The layers that are known."""


def layers_of(model: Any) -> nn.Sequential:
    """A copy of the layers from features to the mean action, before it is squashed or cut.

    Args:
        model: of PPO, A2C, TD3, DDPG, SAC or TQC, or of their kin.

    Raises:
        TypeError: another model.
        ValueError: it has a memory, a VecNormalize, a layer or a features extractor not known here.
    """
    name, policy = type(model).__name__, cast(Any, getattr(model, "policy", None))
    actor: Any = getattr(policy, "actor", None)
    if isinstance(policy, ActorCriticPolicy):
        if hasattr(policy, "lstm_actor"):
            raise ValueError(f"model must act without a memory of its own; {name} is recurrent")
        _check(policy.pi_features_extractor, FlattenExtractor)
        _check(policy.mlp_extractor, MlpExtractor)
        parts: list[Any] = [policy.mlp_extractor.policy_net, policy.action_net]
    elif isinstance(model, BaseAlgorithm) and hasattr(actor, "mu"):
        _check(actor.features_extractor, FlattenExtractor)
        parts = [getattr(actor, "latent_pi", nn.Sequential()), actor.mu]
    else:
        raise TypeError(f"model must be of PPO, A2C, TD3, DDPG, SAC, TQC or their kin; got {name}")
    normaliser = model.get_vec_normalize_env()
    if normaliser is not None and normaliser.norm_obs:
        raise ValueError(
            "model must read the prior's features, which are standardised, as they are; it was "
            "trained behind a VecNormalize of observations"
        )
    layers = [m for part in parts for m in (part if isinstance(part, nn.Sequential) else [part])]
    is_squashed = policy.squash_output and isinstance(layers[-1], nn.Tanh)
    trained = nn.Sequential(*layers[: -1 if is_squashed else None])
    copied = built(described(trained))
    copied.load_state_dict(trained.state_dict())
    return copied


def described(layers: nn.Sequential) -> list[list[Any]]:
    """Layers as data: name and arguments of each.

    Raises:
        ValueError: a layer that is not known.
    """
    for layer in layers:
        if type(layer) not in KINDS.values():
            raise ValueError(
                f"layers of the latent policy must be {', '.join(KINDS)}; got a "
                f"{type(layer).__name__}"
            )
    return [[type(layer).__name__, _arguments(layer)] for layer in layers]


def built(layers: Any) -> nn.Sequential:
    """Layers of a file, without their weights."""
    return nn.Sequential(*(KINDS[choose("layer", name, KINDS)](**given) for name, given in layers))


def of_relu(sizes: Sequence[int]) -> list[list[Any]]:
    """Linear layers of these sizes with ReLU between them, as data."""
    linear = [["Linear", {"in_features": a, "out_features": b}] for a, b in pairwise(sizes)]
    return [layer for part in linear for layer in (part, ["ReLU", {}])][:-1]


def _arguments(layer: nn.Module) -> dict[str, Any]:
    names: Any = getattr(layer, "__constants__", ())  # in torch, those of the constructor
    bias = {"bias": layer.bias is not None} if isinstance(layer, nn.Linear) else {}
    return {name: getattr(layer, name) for name in names} | bias


def _check(extractor: Any, wanted: type) -> None:
    if type(extractor) is not wanted:
        raise ValueError(
            f"model must read features by a {wanted.__name__}; got a {type(extractor).__name__}"
        )
