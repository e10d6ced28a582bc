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

from safer_gym.memory import NO_MEMORY, Memory
from safer_gym.types import ActionFn
from safer_gym.wrappers.action_rows import action_rows
from safer_gym.wrappers.fitted_critics.exploration import explorer
from safer_gym.wrappers.gate.environment import EnvironmentGate
from safer_gym.wrappers.gate.finite import check_finite
from safer_gym.wrappers.gate.global_streams import GlobalStream
from safer_gym.wrappers.obs_layout import ObsLayout, stack

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
    action: ActionFn,
    make_env: MakeEnv,
    *,
    steps: int,
    n_envs: int,
    noise: float,
    seed: int,
    show: Callable[[Tensor], Tensor] = lambda rows: rows,
    memory: Memory = NO_MEMORY,
) -> Transitions:
    """Roll the policy out in `n_envs` environments, `steps` steps each.

    Every episode draws a noise level between 0 and `noise`, a standard deviation in halves of the
    action range (a quarter of the episodes are free of noise), so that a critic learns what
    other actions do. The noise is slow, an AR(1) process: white noise averages out, and a safe
    policy would never show what is costly. Discrete actions are replaced by random ones as slowly,
    for a share of the steps that is drawn anew for every episode, up to half of `noise`.
    Environment i starts with the seed seed + i. `show` is what an attack makes of the truth; with a
    `memory` observations are rows, see `Memory`.

    Raises:
        ValueError: for a step without `info["cost"]`, or values that are not finite.
        TypeError: actions that are neither a Box nor discrete.
    """
    envs = [make_env() for _ in range(n_envs)]
    try:
        # Environments may draw from the global generators: not from those of the caller.
        with GlobalStream(seed):
            return _collect(action, show, memory, envs, steps, noise, seed)
    finally:
        for env in envs:
            env.close()


def _collect(
    action: ActionFn,
    show: Callable[[Tensor], Tensor],
    memory: Memory,
    envs: list[gym.Env],
    steps: int,
    noise: float,
    seed: int,
) -> Transitions:
    layout, rng = ObsLayout(envs[0].observation_space), np.random.default_rng(seed)
    codec = action_rows(envs[0].action_space)
    gates = [EnvironmentGate(env.observation_space, bounded=False) for env in envs]
    starts = [env.reset(seed=seed + i) for i, env in enumerate(envs)]
    obs = [
        gate.reset(start, seed + i)[0]
        for i, (gate, start) in enumerate(zip(gates, starts, strict=True))
    ]
    explorers = [explorer(codec, noise, rng) for _ in envs]
    rows: list[tuple[Any, ...]] = []
    held = memory.begin(len(envs))
    for step in range(steps):
        packed = memory.rows(layout.pack(stack(obs)), held)
        seen = show(packed)
        with torch.no_grad():
            mean = action(seen).numpy()
        held = memory.after(seen)
        check_finite(mean, f" at step {step} of the rollouts")
        done_actions = np.stack([e.act(row) for e, row in zip(explorers, mean, strict=True)])
        legal = [codec.legal(row) for row in done_actions]
        answers = [_step(*row) for row in zip(envs, gates, legal, strict=True)]
        reached, signals, terminated, done = zip(*answers, strict=True)
        follows = memory.rows(layout.pack(stack(list(reached))), held)
        rows.append((packed, done_actions, signals, follows, terminated, done))
        obs = list(reached)
        held[torch.as_tensor(done)] = memory.begin(1).to(held)
        for i in np.flatnonzero(done):
            obs[i] = gates[i].reset(envs[i].reset())[0]
            explorers[i] = explorer(codec, noise, rng)
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
    env: gym.Env, gate: EnvironmentGate, action: Any
) -> tuple[Any, tuple[float, float], bool, bool]:
    obs, reward, terminated, truncated, info = gate.step(env.step(action))
    return obs, (reward, gate.cost(info)), terminated, terminated or truncated
