"""Environments whose returns and costs are known without running them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

HORIZON = 7


class Ladder(gym.Env):
    """Each step costs what the policy was shown and rewards the action.

    The observation starts at `seed` % 1000 / 100 and never changes, so a policy that repeats what
    it sees collects HORIZON times that, and its cost says how far the observation was moved.
    """

    observation_space = gym.spaces.Box(-1e5, 1e5, (2,), np.float32)
    action_space = gym.spaces.Box(-20.0, 20.0, (2,), np.float32)

    def __init__(self, cost: bool = True, horizon: int = HORIZON) -> None:
        self.cost = cost
        self.horizon = horizon

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.obs = np.array([(seed or 0) % 1000 / 100.0, 0.0], np.float32)
        self.steps = 0
        return self.obs, {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.steps += 1
        moved = float(np.abs(action - self.obs).max())
        info = {"cost": moved, "position": self.obs.copy()} if self.cost else {}
        return self.obs, float(action[0]), False, self.steps == self.horizon, info


class Staggered(Ladder):
    """A Ladder whose episodes have different lengths: 1 + seed mod 5."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        self.horizon = 1 + (seed or 0) % 5
        return super().reset(seed=seed)
