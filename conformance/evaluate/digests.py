"""Digests of policies, where equal ones mean equal behaviour, and of environments' descriptions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import nn

from safer_gym.types import Victim
from safer_gym.wrappers.env_layers import env_layers
from safer_gym.wrappers.policies.normaliser import frozen
from safer_gym.wrappers.policies.view import PolicyView

PROBES = 64


def policy_digest(
    view: PolicyView, victim: Victim, space: gym.spaces.Box, noise: tuple[Any, ...] = ()
) -> str:
    """A digest of the policy's parameters; without any, of what it does at fixed observations.

    A normaliser, and noise on request, make another policy, and another digest.

    Args:
        view: the policy.
        victim: the same as attacks see it.
        space: of its observations.
        noise: what is added to its actions and observations; empty for none.
    """
    digest, parameters = hashlib.sha256(), _parameters(view.inner)
    for name, tensor in sorted(parameters.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
    if (statistics := normaliser_digest(view)) is not None:
        digest.update(statistics.encode())
    if noise:
        digest.update(repr(noise).encode())
    if not parameters:
        digest.update(_probed(victim, space).astype(np.float32).tobytes())
    return digest.hexdigest()


def normaliser_digest(view: PolicyView) -> str | None:
    """SHA-256 of the statistics that a policy's observations go through; None for raw ones."""
    own = None if view.normaliser is None else frozen(view.normaliser)
    return None if own is None else own.digest


def environment_digest(env: gym.Env) -> str:
    """A digest of an environment's spec, wrappers and spaces; of what it does, see `behaviour`."""
    spec, chain = env.spec, layers(env)
    name = spec.id if spec is not None else chain[-1]
    parts = [name, *chain, repr(env.observation_space), repr(env.action_space)]
    parts += [repr(sorted(spec.kwargs.items(), key=str))] if spec is not None else []
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def layers(env: gym.Env) -> list[str]:
    """The names of the wrappers, outermost first, then of the environment."""
    return [type(layer).__name__ for layer in env_layers(env)]


def _parameters(policy: Any) -> Mapping[str, torch.Tensor]:
    module = getattr(policy, "policy", policy)
    return module.state_dict() if isinstance(module, nn.Module) else {}


def _probed(victim: Victim, space: gym.spaces.Box) -> np.ndarray:
    rng = np.random.default_rng(0)
    low = np.maximum(space.low, -1.0).astype(float)
    high = np.maximum(np.minimum(space.high, 1.0), low).astype(float)
    obs = rng.uniform(low, high, (PROBES, *space.shape)).astype(np.float32)
    seen = victim.memory.at_start(torch.as_tensor(obs))
    with torch.no_grad():
        parts = [victim.action(seen)]
        if victim.distribution is not None:
            parts += [p.flatten(1) for p in victim.distribution(seen).parameters.values()]
    return torch.cat([part.cpu().double() for part in parts], dim=1).numpy()
