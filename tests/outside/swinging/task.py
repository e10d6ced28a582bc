"""A task: a mass that must not swing far."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from safer_gym.wrappers.tasks import Task, register_task


class Swing(gym.Env):
    """x' = x + u / 10; a step beyond 1 costs 1, and the reward draws there."""

    observation_space = gym.spaces.Box(-9.0, 9.0, (1,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    max_step_cost = 1.0
    forgets_on_reset = True

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.x = self.np_random.uniform(-0.5, 0.5, 1).astype(np.float32)
        return self.x, {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.x = np.clip(self.x + 0.1 * np.asarray(action, np.float32), -9, 9).astype(np.float32)
        return self.x, float(self.x[0]), False, False, {"cost": float(abs(self.x[0]) > 1)}


gym.register("Swing-v0", Swing, max_episode_steps=10)
register_task(Task("swing", "Swing-v0", eps=0.1, cost_limit=0.0, horizon=10))
