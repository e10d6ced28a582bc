"""Tiny environments, policies and lying attacks for the adversary's tests."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from torch import nn

from safer_gym.types import AttackResult

HORIZON = 5


class PointEnv(gym.Env):
    """A noisy point. The observation buffer is reused, as careless environments do."""

    metadata = {"render_modes": []}

    def __init__(self, dtype: Any = np.float32, horizon: int = HORIZON) -> None:
        self.observation_space = spaces.Box(-2.0, 2.0, (3,), dtype)
        self.action_space = spaces.Box(np.float32([1, -1]), np.float32([5, 1]))
        self.horizon = horizon
        self._obs = np.zeros(3, dtype)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.state, self.t = self.np_random.uniform(-1, 1, 3), 0
        return self._show(), {"start": True}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        push = np.array([*np.asarray(action, float) / 10, 0.0])
        self.state = np.clip(0.9 * self.state + push + self.np_random.normal(0, 0.05, 3), -2, 2)
        self.t += 1
        reward, cost = float(self.state[0]), float(self.state[1] > 0.2)
        return self._show(), reward, False, self.t >= self.horizon, {"cost": cost}

    def _show(self) -> Any:
        self._obs[:] = self.state
        return self._obs.copy()


class DictEnv(gym.ObservationWrapper):
    """The point with a Dict observation: two attackable keys and a discrete one."""

    def __init__(self, horizon: int = HORIZON) -> None:
        super().__init__(PointEnv(horizon=horizon))
        self.observation_space = spaces.Dict(
            {
                "pos": spaces.Box(-2.0, 2.0, (2,), np.float32),
                "far": spaces.Box(-2.0, 2.0, (1,), np.float64),
                "mode": spaces.Discrete(3),
            }
        )

    def observation(self, observation: Any) -> Any:
        return {
            "pos": observation[:2].copy(),
            "far": observation[2:].astype(np.float64),
            "mode": np.int64(observation[0] > 0),
        }


class ImageEnv(gym.ObservationWrapper):
    """The point as an image [36, 36, 3], uint8 or float in [0, 1]."""

    def __init__(self, dtype: Any = np.uint8) -> None:
        super().__init__(PointEnv())
        high = 255 if dtype == np.uint8 else 1.0
        self.observation_space = spaces.Box(0, high, (36, 36, 3), dtype)

    def observation(self, observation: Any) -> Any:
        waves = np.sin(np.arange(36 * 36 * 3).reshape(36, 36, 3) * observation[0])
        top = 255 if self.observation_space.dtype == np.uint8 else 1.0
        return (top * (waves + 1) / 2).astype(self.observation_space.dtype)


class Tanh(nn.Module):
    """A small torch policy of the point with dropout, to be left in training mode."""

    def __init__(self, inputs: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(inputs, 8), nn.Dropout(0.5), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        return self.net(obs)


def first_action(obs: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
    """A critic that likes the first action."""
    return action[:, 0] + 0.1 * (obs if isinstance(obs, torch.Tensor) else obs["pos"])[:, 0]


class Liar:
    """An attack that breaks its contract in a chosen way."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __call__(self, victim: Any, obs: Any, ball: Any, generator: Any = None) -> AttackResult:
        bad = {
            "far": obs + 1.01 * ball.eps.max().float(),
            "nan": torch.full_like(obs, torch.nan),
            "shape": obs[:, :1],
            "space": obs + 0.01,
            "type": obs.to(torch.float16),
        }[self.how]
        return AttackResult(bad, obs.new_zeros(len(obs)), obs.new_zeros(len(obs)))


def actions_for(env: Any, n: int, rows: int | None = None) -> list[np.ndarray]:
    """Fixed actions, the same for every wrapper."""
    box, rng = PointEnv().action_space, np.random.default_rng(0)
    shape = (2,) if rows is None else (rows, 2)
    return [rng.uniform(box.low, box.high, shape).astype(np.float32) for _ in range(n)]


def roll(env: gym.Env, steps: int = 12, seed: int = 3) -> list[Any]:
    """(obs, reward, terminated, truncated, info) of some episodes, with a seeded start."""
    obs, info = env.reset(seed=seed)
    seen: list[Any] = [(obs, 0.0, False, False, info)]
    for action in actions_for(env, steps):
        seen.append(env.step(action))
        if seen[-1][2] or seen[-1][3]:
            obs, info = env.reset()
            seen.append((obs, 0.0, False, False, info))
    return seen
