"""A place that disturbances move, and a policy that does nothing."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch

from safer_gym.types import Victim

STEPS = 6
IDLE = Victim(lambda obs: torch.zeros_like(obs) + 0.0 * obs)


class Ledge(gym.Env):
    """A place that disturbances move; h is its distance to an edge at -1, reward its distance to
    one at 1. Nothing else happens."""

    observation_space = gym.spaces.Box(-9.0, 9.0, (1,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    disturbance_space = gym.spaces.Box(-0.5, 0.5, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.place, self.steps, self.push = float(self.np_random.uniform(-0.1, 0.1)), 0, 0.0
        self.pushes: list[float] = []
        return self._seen(), self._info()

    def disturb(self, disturbance: Any) -> None:
        self.push = float(disturbance[0])

    def step(self, action: Any) -> Any:
        self.pushes.append(self.push)
        self.place, self.push, self.steps = self.place + self.push, 0.0, self.steps + 1
        return self._seen(), 1 - self.place, False, self.steps == STEPS, self._info()

    def _seen(self) -> Any:
        return np.array([self.place], np.float32)

    def _info(self) -> dict[str, float]:
        h = self.place + 1
        return {"h": h, "cost": float(h < 0)}


class Mute(Ledge):
    """The same without h."""

    def _info(self) -> dict[str, float]:
        return {"cost": super()._info()["cost"]}
