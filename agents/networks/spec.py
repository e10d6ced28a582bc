"""The networks of a policy from a spec: actors and critics by name, targets, optimisers."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import torch
from stable_baselines3.common.policies import BaseModel, BasePolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, get_actor_critic_arch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


class Net(NamedTuple):
    """One network."""

    kind: type[BaseModel]
    """Its class, which takes Stable-Baselines3's arguments for networks."""
    options: Mapping[str, Any] = MappingProxyType({})
    """Its own arguments, and those that differ from the policy's, such as `action_space`."""
    has_target: bool = True
    """Whether a slower copy stands beside it, as NAME_target."""


class ActorCritics(NamedTuple):
    """All networks of a policy, by the attributes that they become."""

    actors: Mapping[str, Net]
    """The first one owns the features extractor where the policy shares it."""
    critics: Mapping[str, Net]

    def build_on(self, policy: BasePolicy, rate: float) -> None:
        """Make the networks, then their targets, then their optimisers.

        Args:
            policy: has Stable-Baselines3's options, and `net_arch` and `activation_fn`; maybe
                `share_features_extractor`.
            rate: first learning rate.
        """
        options: Any = policy
        actor_arch, critic_arch = get_actor_critic_arch(options.net_arch)
        shared: BaseFeaturesExtractor | None = None
        for name, net in self.actors.items():
            setattr(policy, name, _make(policy, net, actor_arch, None))
            if shared is None and getattr(policy, "share_features_extractor", False):
                shared = getattr(policy, name).features_extractor
        for name, net in self.critics.items():
            setattr(policy, name, _make(policy, net, critic_arch, shared))
        nets = {**self.actors, **self.critics}
        for name, net in nets.items():
            if net.has_target:
                setattr(policy, f"{name}_target", frozen(getattr(policy, name)))
        for name in nets:
            made = getattr(policy, name)
            is_borrowed = shared is not None and name in self.critics
            weights = [
                weight
                for part, weight in made.named_parameters()
                if not (is_borrowed and "features_extractor" in part)
            ]
            made.optimizer = make_optimizer(policy, weights, rate)


def _make(
    policy: Any, net: Net, net_arch: list[int], extractor: BaseFeaturesExtractor | None
) -> BaseModel:
    kwargs = {
        "observation_space": policy.observation_space,
        "action_space": policy.action_space,
        "net_arch": net_arch,
        "activation_fn": policy.activation_fn,
        "normalize_images": policy.normalize_images,
    }
    kwargs = policy._update_features_extractor(kwargs, extractor) | net.options
    if extractor is not None:
        kwargs |= {"share_features_extractor": True}
    return net.kind(**kwargs).to(policy.device)


def make_optimizer(
    policy: BasePolicy, weights: list[nn.Parameter], rate: float
) -> torch.optim.Optimizer:
    """The policy's own kind; Adam in one pass over all weights, not ten."""
    options: dict[str, Any] = {"lr": rate} | policy.optimizer_kwargs
    if policy.optimizer_class is torch.optim.Adam:
        options = {"fused": True} | options
    return policy.optimizer_class(weights, **options)


def frozen(net: Module) -> Module:
    """A copy that no gradient reaches."""
    twin = deepcopy(net)
    twin.requires_grad_(False)
    twin.train(False)
    return twin
