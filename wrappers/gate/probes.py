"""Observations to ask a policy about: near one of the environment's, or all over its space."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import closing
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from safer_gym.wrappers.gate.environment import EnvironmentGate
from safer_gym.wrappers.gate.global_streams import GlobalStream
from safer_gym.wrappers.obs_layout import stack

ROWS = 8
WIDEST = 1e4
"""A box wider than this has bounds that only say "any number"."""


def first_observation(env: gym.Env, seed: int) -> Any:
    """What a reset shows, checked; the global generators of the caller are left alone."""
    gate = EnvironmentGate(env.observation_space, bounded=True)
    with GlobalStream(seed):
        return gate.reset(env.reset(seed=seed), seed)[0]


def reports_h(make_env: Callable[[], gym.Env]) -> bool:
    """Whether a reset reports the constraint function, `info["h"]`."""
    with closing(make_env()) as env, GlobalStream(0):
        return "h" in env.reset(seed=0)[1]


def near(space: spaces.Space, obs: Any, seed: int = 0) -> Any:
    """A batch of ROWS observations: `obs` itself, then `obs` moved a little inside its space."""
    rng = np.random.default_rng(seed)
    rows = [_moved(space, obs, 0.0, rng)]
    return stack(rows + [_moved(space, obs, 0.01, rng) for _ in range(ROWS - 1)])


def anywhere(space: spaces.Space, seed: int = 0) -> Any:
    """A batch of ROWS random observations of the space."""
    rng = np.random.default_rng(seed)
    return stack([_drawn(space, rng) for _ in range(ROWS)])


def _moved(space: spaces.Space, obs: Any, share: float, rng: np.random.Generator) -> Any:
    if isinstance(space, spaces.Dict):
        return {key: _moved(part, obs[key], share, rng) for key, part in space.spaces.items()}
    value = np.asarray(obs)
    if not isinstance(space, spaces.Box) or not np.issubdtype(value.dtype, np.floating):
        return value
    step = share * (0.1 + np.abs(value)) * rng.standard_normal(value.shape)
    return np.clip(value + step, space.low, space.high).astype(np.float32)


def _drawn(space: spaces.Space, rng: np.random.Generator) -> Any:
    if isinstance(space, spaces.Dict):
        return {key: _drawn(part, rng) for key, part in space.spaces.items()}
    if not isinstance(space, spaces.Box):
        own = copy.deepcopy(space)
        own.seed(int(rng.integers(2**31)))
        return np.asarray(own.sample())
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    bounded = high - low <= WIDEST
    inside = low + rng.random(space.shape) * np.where(bounded, high - low, 0.0)
    around_zero = np.clip(2.0 * rng.standard_normal(space.shape), low, high)
    value = np.where(bounded, inside, around_zero)
    if np.issubdtype(space.dtype, np.integer):
        return np.rint(value).astype(space.dtype)
    return value.astype(np.float32)
