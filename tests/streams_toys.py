"""Environments and attacks that draw from generators which no seed of theirs reaches."""

from __future__ import annotations

import random
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from safer_gym.types import AttackResult

HORIZON = 5
_MODULE = np.random.default_rng(0)

DRAWS = {
    "random": random.random,
    "numpy.random": np.random.random,
    "torch": lambda: float(torch.rand(())),
    "module": _MODULE.random,
}


class Drifting(gym.Env):
    """A walk whose steps come from `draw`; it costs something half of the time."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    spec = gym.envs.registration.EnvSpec("Drifting-v0", max_episode_steps=HORIZON)
    max_step_cost = 1.0

    def __init__(self, draw: str) -> None:
        self.draw = DRAWS[draw]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.x, self.t = self.draw() - 0.5, 0
        return np.float32([self.x]), {}

    def step(self, action: Any) -> Any:
        self.x += self.draw() - 0.5
        self.t += 1
        cost = float(self.x > 0)
        return np.float32([self.x]), self.x, False, self.t >= HORIZON, {"cost": cost}


class Round(Drifting):
    """Only ten seeds are different."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        gym.Env.reset(self, seed=None if seed is None else seed % 10)
        self.draw = self.np_random.random
        self.x, self.t = self.draw() - 0.5, 0
        return np.float32([self.x]), {}


class SeededOnce(Drifting):
    """Its constructor seeds its generator, and no reset does: all first episodes are alike."""

    def __init__(self) -> None:
        self.draw = np.random.default_rng(0).random

    def step(self, action: Any) -> Any:
        obs, reward, terminated, truncated, info = super().step(action)
        return obs, reward, terminated, truncated, info | {"cost": 0.0}


class Tiring(Drifting):
    """The second episode of an environment begins like any other, and ends otherwise."""

    episodes = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        gym.Env.reset(self, seed=seed)
        self.draw, self.episodes = self.np_random.random, self.episodes + 1
        self.x, self.t = self.draw() - 0.5, 0
        return np.float32([self.x]), {}

    def step(self, action: Any) -> Any:
        obs, reward, terminated, truncated, info = super().step(action)
        tired = self.episodes > 1 and self.t >= HORIZON - 1
        return obs, reward, terminated or tired, truncated, info


class Wearing(Drifting):
    """Each episode of a process is a little worse than the one before."""

    worn = 0.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        Wearing.worn += 0.01
        gym.Env.reset(self, seed=seed)
        self.draw = self.np_random.random
        self.x, self.t = self.draw() - 0.5 + Wearing.worn, 0
        return np.float32([self.x]), {}


class Drawing:
    """An attack that draws from a global generator instead of the one it is given."""

    def __init__(self, draw: str) -> None:
        self.draw = DRAWS[draw]

    def __call__(self, victim: Any, obs: Any, ball: Any, generator: Any = None) -> AttackResult:
        shown = ball.project(obs, obs + ball.eps.to(obs) * (2 * self.draw() - 1))
        return AttackResult(shown, obs.new_zeros(len(obs)), obs.new_zeros(len(obs)))
