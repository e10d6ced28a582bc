"""An environment and policies of a user's own, as a module in the current folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HALL = """
import gymnasium as gym
import numpy as np

STEPS = []


class Hall(gym.Env):
    def __init__(self, wall=1.0, steps=None):
        self.wall, self.steps = wall, steps
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)
        self.action_space = gym.spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.t = self.np_random.uniform(0.0, 0.5), 0
        return np.array([self.x], np.float32), {}

    def step(self, action):
        STEPS.append(1)
        self.x += 0.1 * float(action[0]) + self.np_random.uniform(-0.01, 0.01)
        self.t += 1
        info = {"touched": float(self.x > self.wall)}
        return np.array([self.x], np.float32), float(self.x), False, self.t == self.steps, info


def make(wall=1.0):
    return Hall(wall, steps=20)


def touches(obs, action, next_obs, info):
    return info["touched"]


def drive(obs):
    return np.clip(5 * (0.9 - obs), -1, 1)


one = Hall()
number = 3
gym.register("OwnHall-v0", Hall, max_episode_steps=20)
"""
"""Reward to the wall, cost at it. `Hall` has no end, `make`'s has one after 20 steps."""

NAME = "own_hall_module"
COST = ["--cost", f"{NAME}:touches"]
ENV = ["--env", f"{NAME}:Hall", *COST, "--max-steps", "20"]


@contextmanager
def hall_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The module in `folder`, which is the current one; afterwards nothing is left of it."""
    import gymnasium

    (folder / f"{NAME}.py").write_text(HALL)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield folder
    for name in [name for name in sys.modules if name.startswith("own_hall")]:
        if name != __name__:
            del sys.modules[name]
    gymnasium.registry.pop("OwnHall-v0", None)
