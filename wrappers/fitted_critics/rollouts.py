"""Transitions of a policy, for learning critics of it.

Axes: T steps, E environments, O packed observation, A action, K = 2 signals (reward, cost).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from safer_gym.types import ActionFn
from safer_gym.wrappers.gate.environment import EnvironmentGate
from safer_gym.wrappers.gate.finite import check_finite
from safer_gym.wrappers.gate.global_streams import GlobalStream
from safer_gym.wrappers.obs_layout import ObsLayout, stack

MEMORY = 0.9
"""Correlation of exploration noise from step to step: about ten steps in one direction."""

MakeEnv = Callable[[], gym.Env]


class Transitions(NamedTuple):
    """What the environments answered, in order; `done` is terminated or truncated."""

    obs: Tensor
    """[T, E, *O]"""
    actions: Tensor
    """What was done, in the environment's units and inside its box, [T, E, A]."""
    signals: Tensor
    """Reward and cost of the step, [2, T, E]."""
    next_obs: Tensor
    """[T, E, *O]; at an episode's end its last observation, not the next reset's."""
    terminated: Tensor
    """bool [T, E]"""
    done: Tensor
    """bool [T, E]"""


def collect(
    action: ActionFn, make_env: MakeEnv, *, steps: int, n_envs: int, noise: float, seed: int
) -> Transitions:
    """Roll the policy out in `n_envs` environments, `steps` steps each.

    Every episode draws a noise level between 0 and `noise`, a standard deviation in halves of the
    action range (a quarter of the episodes are free of noise), so that a critic learns what
    other actions do. The noise is slow, an AR(1) process: white noise averages out, and a safe
    policy would never show what is costly. Environment i starts with the seed seed + i.

    Raises:
        ValueError: for a step without `info["cost"]`, values that are not finite, or actions that
            are not a Box.
    """
    envs = [make_env() for _ in range(n_envs)]
    try:
        # Environments may draw from the global generators: not from those of the caller.
        with GlobalStream(seed):
            return _collect(action, envs, steps, noise, seed)
    finally:
        for env in envs:
            env.close()


def _collect(
    action: ActionFn, envs: list[gym.Env], steps: int, noise: float, seed: int
) -> Transitions:
    layout, rng = ObsLayout(envs[0].observation_space), np.random.default_rng(seed)
    low, high = action_box(envs[0].action_space)
    spread = np.where(np.isfinite(high - low), (high - low) / 2, 1.0)
    gates = [EnvironmentGate(env.observation_space, bounded=False) for env in envs]
    starts = [env.reset(seed=seed + i) for i, env in enumerate(envs)]
    obs = [
        gate.reset(start, seed + i)[0]
        for i, (gate, start) in enumerate(zip(gates, starts, strict=True))
    ]
    wobble = [_Wobble(noise, spread, rng) for _ in envs]
    rows: list[tuple[Any, ...]] = []
    for step in range(steps):
        packed = layout.pack(stack(obs))
        with torch.no_grad():
            mean = action(packed).numpy()
        check_finite(mean, f" at step {step} of the rollouts")
        done_actions = np.clip(mean + np.stack([w.draw() for w in wobble]), low, high)
        answers = [_step(*row) for row in zip(envs, gates, done_actions, strict=True)]
        reached, signals, terminated, done = zip(*answers, strict=True)
        rows.append(
            (packed, done_actions, signals, layout.pack(stack(list(reached))), terminated, done)
        )
        obs = list(reached)
        for i in np.flatnonzero(done):
            obs[i] = gates[i].reset(envs[i].reset())[0]
            wobble[i] = _Wobble(noise, spread, rng)
    return _as_tensors(rows)


def _as_tensors(rows: list[tuple[Any, ...]]) -> Transitions:
    obs, actions, signals, next_obs, terminated, done = zip(*rows, strict=True)
    return Transitions(
        torch.stack(obs),
        torch.tensor(np.stack(actions), dtype=torch.float32),
        torch.tensor(np.array(signals), dtype=torch.float32).movedim(-1, 0),
        torch.stack(next_obs),
        torch.tensor(np.array(terminated)),
        torch.tensor(np.array(done)),
    )


def _step(
    env: gym.Env, gate: EnvironmentGate, action: np.ndarray
) -> tuple[Any, tuple[float, float], bool, bool]:
    space: Any = env.action_space
    legal = action.reshape(space.shape).astype(space.dtype)
    obs, reward, terminated, truncated, info = gate.step(env.step(legal))
    return obs, (reward, gate.cost(info)), terminated, terminated or truncated


class _Wobble:
    """Exploration noise [A] of one episode."""

    def __init__(self, noise: float, spread: np.ndarray, rng: np.random.Generator) -> None:
        self.scale = noise * max(0.0, (4 * rng.random() - 1) / 3) * spread
        self.rng, self.state = rng, rng.standard_normal(spread.shape)

    def draw(self) -> np.ndarray:
        fresh = self.rng.standard_normal(self.state.shape)
        self.state = MEMORY * self.state + np.sqrt(1 - MEMORY**2) * fresh
        return self.scale * self.state


def action_box(space: gym.Space) -> tuple[np.ndarray, np.ndarray]:
    """Bounds [A] of the actions."""
    if not isinstance(space, gym.spaces.Box):
        raise ValueError(f"critics of actions need a Box action space; got {space}")
    return space.low.reshape(-1).astype(float), space.high.reshape(-1).astype(float)
