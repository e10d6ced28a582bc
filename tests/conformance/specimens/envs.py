"""Environments that each break one clause of the contract, and are right otherwise."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces


class Honest(gym.Env):
    """A noisy point of two dimensions; a cost beyond 0."""

    metadata = {"render_modes": []}
    observation_space = spaces.Box(-5.0, 5.0, (2,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.state, self.t, self.total = self.np_random.normal(0, 0.3, 2), 0, 0.0
        return self.show(), {}

    def step(self, action: Any) -> Any:
        noise = self.np_random.normal(0, 0.1, 2)
        self.state = np.clip(0.9 * self.state + 0.2 * np.asarray(action) + noise, -5, 5)
        self.t += 1
        cost = float(self.state[0] > 0)
        self.total += cost
        return self.show(), float(self.state[1]), False, self.t >= 8, self.info(cost)

    def show(self) -> Any:
        return self.state.astype(np.float32)

    def info(self, cost: float) -> dict[str, Any]:
        return {"cost": cost, "episode_cost": self.total}


class SixValues(Honest):
    def step(self, action: Any) -> Any:
        obs, reward, terminated, truncated, info = super().step(action)
        return obs, reward, info["cost"], terminated, truncated, info


class NoBool(Honest):
    def step(self, action: Any) -> Any:
        obs, reward, _, truncated, info = super().step(action)
        return obs, reward, 0, truncated, info


class InfiniteReward(Honest):
    def step(self, action: Any) -> Any:
        obs, _, terminated, truncated, info = super().step(action)
        return obs, np.nan, terminated, truncated, info


class WrongType(Honest):
    def show(self) -> Any:
        return self.state


class OutOfSpace(Honest):
    def show(self) -> Any:
        return (self.state + 6 * (self.t == 8)).astype(np.float32)


class NoCost(Honest):
    def info(self, cost: float) -> dict[str, Any]:
        return {"cost": cost} if self.t < 8 else {}


class NegativeCost(Honest):
    def info(self, cost: float) -> dict[str, Any]:
        return {"cost": cost - 1.0}


class NanCost(Honest):
    def info(self, cost: float) -> dict[str, Any]:
        return {"cost": np.nan}


class CostVector(Honest):
    def info(self, cost: float) -> dict[str, Any]:
        return {"cost": np.array([cost, cost])}


class CostTwice(Honest):
    def info(self, cost: float) -> dict[str, Any]:
        return {"cost": cost, "episode_cost": 2 * self.total + 1}


class WrongSum(Honest):
    def info(self, cost: float) -> dict[str, Any]:
        return {"cost": cost, "episode": {"c": self.total + 1}}


class Endless(Honest):
    def step(self, action: Any) -> Any:
        obs, reward, *_, info = super().step(action)
        return obs, reward, False, False, info


class GlobalNoise(Honest):
    def step(self, action: Any) -> Any:
        self.state = self.state + np.random.normal(0, 0.1, 2)  # noqa: NPY002
        return super().step(action)


class Remembers(Honest):
    """Something of the last episode stays after a reset."""

    drift = 0.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        _, info = super().reset(seed=seed)
        self.drift += 0.01
        self.state = self.state + self.drift
        return self.show(), info


class OwnSeed(Honest):
    """A number of its own for each instance."""

    made = 0

    def __init__(self) -> None:
        OwnSeed.made += 1
        self.offset = 0.01 * OwnSeed.made

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        _, info = super().reset(seed=seed)
        self.state = self.state + self.offset
        return self.show(), info


class OneBuffer(Honest):
    """Returns one array that is overwritten at each step."""

    def __init__(self) -> None:
        self.buffer = np.zeros(2, np.float32)

    def show(self) -> Any:
        self.buffer[:] = self.state
        return self.buffer


class OneInfo(Honest):
    def __init__(self) -> None:
        self.shared: dict[str, Any] = {}

    def info(self, cost: float) -> dict[str, Any]:
        self.shared["cost"] = float(self.t)
        return self.shared


class StateInTheObservation(Honest):
    """The state lives in the array that it returned: an adversary in place would move it."""

    def show(self) -> Any:
        self.state = self.state.astype(np.float32)
        return self.state


BROKEN = [
    (SixValues, "five values"),
    (NoBool, "five values"),
    (InfiniteReward, "five values"),
    (WrongType, "observation of the space"),
    (OutOfSpace, "observation of the space"),
    (NoCost, "cost"),
    (NegativeCost, "cost"),
    (NanCost, "cost"),
    (CostVector, "cost"),
    (CostTwice, "sums agree"),
    (WrongSum, "sums agree"),
    (Endless, "ends"),
    (GlobalNoise, "repeatable"),
    (Remembers, "repeatable"),
    (OwnSeed, "repeatable afresh"),
    (OneBuffer, "nothing shared"),
    (OneInfo, "nothing shared"),
    (StateInTheObservation, "true state its own"),
]
