"""Models behind a VecNormalize that say something else to raw observations."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

HORIZON = 5


class Far(gym.Env):
    """Observations near 100; a step costs 1 where |action| is above a half."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    spec = gym.envs.registration.EnvSpec("Far-v0", max_episode_steps=HORIZON)
    max_step_cost = 1.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.x, self.t = 100.0 + self.np_random.normal(size=2).astype(np.float32), 0
        return self.x.astype(np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.x, self.t = self.x + 0.1 * float(np.clip(action[0], -1, 1)), self.t + 1
        cost = float(abs(float(action[0])) > 0.5)
        return self.x.astype(np.float32), 1.0, False, self.t >= HORIZON, {"cost": cost}


def venv() -> VecNormalize:
    """Statistics of observations near 100."""
    made = VecNormalize(DummyVecEnv([Far] * 2))
    made.seed(0)
    made.reset()
    for _ in range(20):
        made.step(np.zeros((2, 1), np.float32))
    made.training = False
    return made


def trained(cls: Any = PPO) -> Any:
    """A model, trained for a moment, whose action is steep in the normalised observation."""
    options = {"n_steps": 8, "batch_size": 8} if cls is PPO else {"learning_starts": 4}
    model = cls("MlpPolicy", venv(), seed=0, device="cpu", policy_kwargs={"net_arch": [8]},
                **options).learn(16)  # fmt: skip
    model.get_vec_normalize_env().training = False
    head = model.policy.action_net if cls is PPO else model.policy.actor.mu
    with torch.no_grad():
        head.weight.mul_(100.0)
    return model


def truth(model: Any, seeds: Iterable[int]) -> list[float]:
    """Costs of the deployed policy's episodes."""
    normaliser, costs = model.get_vec_normalize_env(), []
    for seed in seeds:
        env, cost, done = Far(), 0.0, False
        obs, _ = env.reset(seed=seed)
        while not done:
            seen = normaliser.normalize_obs(obs[None].copy())
            obs, _, _, done, info = env.step(model.predict(seen, deterministic=True)[0][0])
            cost += info["cost"]
        costs.append(cost)
    return costs


def saved(model: Any, folder: Path, beside: str = "") -> tuple[Path, Path]:
    """The model's file, and that of its VecNormalize."""
    path, statistics = folder / "model.zip", folder / (beside or "elsewhere/statistics.pkl")
    statistics.parent.mkdir(exist_ok=True)
    model.save(path)
    model.get_vec_normalize_env().save(str(statistics))
    return path, statistics
