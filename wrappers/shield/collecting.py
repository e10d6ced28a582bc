"""Data for a shield: benign, noisy and held actions, then the shield itself under lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from safer_gym.shield.filtering import TASK
from safer_gym.wrappers.policies.view import view_of
from safer_gym.wrappers.shield.shield import Shield


class Episodes(NamedTuple):
    """Steps of whole episodes [N, ...]."""

    obs: Tensor
    action: Tensor
    after: Tensor
    backup: Tensor
    """Which backup of each part acted [N, P]."""
    start: Tensor
    """Whether an episode begins [N]."""


Act = Callable[[Any, int, int], tuple[np.ndarray, np.ndarray]]
"""Observation, episode and step to the action, and which backup of each part it is."""


def collect(env: gym.Env, act: Act, seeds: Sequence[int], max_steps: int) -> Episodes:
    """Run an episode for each seed, and keep every step."""
    rows: list[tuple[Any, ...]] = []
    for number, seed in enumerate(seeds):
        obs, _ = env.reset(seed=int(seed))
        for step in range(max_steps):
            action, backup = act(obs, number, step)
            after, _, terminated, truncated, _ = env.step(action)
            rows.append((np.ravel(obs), action, np.ravel(after), backup, step == 0))
            obs = after
            if terminated or truncated:
                break
    columns = [torch.as_tensor(np.array(column)) for column in zip(*rows, strict=True)]
    return Episodes(*(column.double() for column in columns[:3]), *columns[3:])


def acting(policy: Any, space: Any, generator: np.random.Generator, n_parts: int) -> Act:
    """In turn as the policy does, with noise, and by corners that are held for some steps."""
    victim = None if policy is None else view_of(policy).victim()
    held: dict[str, Any] = {"action": np.zeros(space.shape), "until": 0}

    def act(obs: Any, episode: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        kind = episode % 4 if victim is not None else 3
        if step == 0 or step >= held["until"]:
            held["action"] = np.where(generator.random(space.shape) < 0.5, space.low, space.high)
            held["until"] = step + int(generator.integers(1, 12))
        action = held["action"]
        if victim is not None and (kind < 3 or step % 40 < 20):
            with torch.no_grad():
                row = torch.as_tensor(np.asarray(obs, np.float32)).unsqueeze(0)
                action = victim.action(row)[0].numpy()
        if kind == 1:
            width = 0.2 * (space.high - space.low)
            action = action + width * generator.standard_normal(space.shape)
        action = np.clip(action, space.low, space.high).astype(space.dtype)
        return action, np.full(n_parts, TASK)

    return act


def shielded_acting(policy: Any, space: Any, shield: Shield, generator: np.random.Generator) -> Act:
    """The shield acts, and is shown lies that push it outward, or none."""
    victim = None if policy is None else view_of(policy).victim()
    memory: dict[str, Any] = {"prior": shield.begin(1), "sign": np.ones(1)}

    def act(obs: Any, episode: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        if step == 0:
            memory["prior"] = shield.begin(1)
        if step % 25 == 0:
            memory["sign"] = generator.choice([-1.0, 0.0, 1.0], np.shape(obs))
        lie = (episode % 3) / 2 * shield.eps * memory["sign"]
        shown = torch.as_tensor(np.asarray(obs + lie, np.float32)).unsqueeze(0)
        task = torch.as_tensor(generator.uniform(space.low, space.high)).unsqueeze(0)
        if victim is not None:
            with torch.no_grad():
                task = victim.action(shown)
        answer = shield.step(shown, task, memory["prior"])
        memory["prior"] = answer.prior
        return answer.action[0].numpy().astype(space.dtype), answer.backup[0].numpy()

    return act
