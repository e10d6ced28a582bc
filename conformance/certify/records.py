"""Digests of policies and environments: equal digests, equal behaviour."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import nn

from safer_gym.conformance.certificate.record import EnvironmentRecord, PolicyRecord
from safer_gym.conformance.certify.noise import Noise
from safer_gym.conformance.evaluate.limits import Limits
from safer_gym.types import Victim
from safer_gym.wrappers.policies.normaliser import frozen
from safer_gym.wrappers.policies.view import PolicyView

PROBES = 64


def policy_record(
    view: PolicyView, victim: Victim, space: gym.spaces.Box, source: str | None, noise: Noise
) -> PolicyRecord:
    """A digest of the policy's parameters; without any, of what it does at fixed observations.

    A normaliser, and noise on request, make another policy, and another digest.
    """
    policy = view.inner
    digest, parameters = hashlib.sha256(), _parameters(policy)
    for name, tensor in sorted(parameters.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
    normaliser = None if view.normaliser is None else frozen(view.normaliser)
    if normaliser is not None:
        digest.update(normaliser.digest.encode())
    if noise.is_any:
        digest.update(repr(tuple(noise)).encode())
    if not parameters:
        digest.update(_probed(victim, space).astype(np.float32).tobytes())
    kind = type(policy).__name__
    statistics = None if normaliser is None else normaliser.digest
    return PolicyRecord(
        digest.hexdigest(), kind, source, noise.action, noise.observation, statistics
    )


def environment_record(env: gym.Env, max_step_cost: float | None) -> EnvironmentRecord:
    """A digest of an environment's spec, wrappers and spaces.

    Raises:
        ValueError: a largest cost of a step that cannot be, see `Limits.declared`.
    """
    spec, limits = env.spec, Limits.declared(env, max_step_cost)
    chain = [type(env).__name__]
    layer: Any = env
    while isinstance(layer, gym.Wrapper):
        layer = layer.env
        chain.append(type(layer).__name__)
    name = spec.id if spec is not None else chain[-1]
    parts = [name, *chain, repr(env.observation_space), repr(env.action_space)]
    parts += [repr(sorted(spec.kwargs.items(), key=str))] if spec is not None else []
    return EnvironmentRecord(
        id=name,
        digest=hashlib.sha256("\n".join(parts).encode()).hexdigest(),
        **limits._asdict(),
    )


def _parameters(policy: Any) -> Mapping[str, torch.Tensor]:
    module = getattr(policy, "policy", policy)
    return module.state_dict() if isinstance(module, nn.Module) else {}


def _probed(victim: Victim, space: gym.spaces.Box) -> np.ndarray:
    rng = np.random.default_rng(0)
    low = np.maximum(space.low, -1.0).astype(float)
    high = np.maximum(np.minimum(space.high, 1.0), low).astype(float)
    obs = rng.uniform(low, high, (PROBES, *space.shape)).astype(np.float32)
    seen = torch.as_tensor(obs)
    with torch.no_grad():
        parts = [victim.action(seen)]
        if victim.distribution is not None:
            parts += [p.flatten(1) for p in victim.distribution(seen).parameters.values()]
    return torch.cat([part.cpu().double() for part in parts], dim=1).numpy()
