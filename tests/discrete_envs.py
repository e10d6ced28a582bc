"""Environments with discrete actions, shared by tests: small, seeded, with a cost."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

SPACES: dict[str, spaces.Space] = {
    "Discrete": spaces.Discrete(3),
    "MultiDiscrete": spaces.MultiDiscrete([2, 3]),
    "MultiBinary": spaces.MultiBinary(2),
}


class Drift(gym.Env):
    """A point on a line, pushed by the sum of the action's numbers; it costs to be far right."""

    metadata: dict[str, Any] = {}

    def __init__(self, actions: spaces.Space = SPACES["Discrete"], steps: int = 12) -> None:
        self.observation_space = spaces.Box(-2.0, 2.0, (2,))
        self.action_space, self.steps = actions, steps
        self.spec = gym.envs.registration.EnvSpec("Drift-v0", max_episode_steps=steps)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.now, self.x = 0, self.np_random.uniform(-0.5, 0.5)
        return self._obs(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict]:
        if not self.action_space.contains(action):
            raise ValueError(f"{action!r} is no action of {self.action_space}")
        self.now += 1
        self.x = float(np.clip(self.x + 0.3 * (np.sum(action) - 1) - 0.05, -1.5, 1.5))
        return self._obs(), 1.0, False, self.now >= self.steps, {"cost": float(self.x > 0.6)}

    def _obs(self) -> np.ndarray:
        return np.array([self.x, self.now / self.steps], dtype=np.float32)
