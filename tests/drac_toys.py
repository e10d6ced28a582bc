"""Small agents of DRAC on a short double integrator."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv

from safer_gym.agents import DRAC
from safer_gym.wrappers.worlds.double_integrator import DoubleIntegrator

SMALL: dict[str, Any] = {
    "policy_kwargs": {"net_arch": [8]},
    "learning_starts": 10,
    "batch_size": 8,
    "buffer_size": 200,
    "device": "cpu",
    "seed": 0,
}
RSAC: dict[str, Any] = {"constraint": "none"}
RAC: dict[str, Any] = {
    "adversary": False,
    "safety_policy": False,
    "multiplier_loss": "ascent",
}
FAR = np.array([[9.0, 3.0], [-9.0, -3.0]], np.float32)


def short(steps: int = 12) -> gym.Env:
    return gym.make("SaferGym/DoubleIntegrator-v0", max_episode_steps=steps)


def envs(n: int = 2, seed: int = 0, kind: Any = None) -> VecEnv:
    return make_vec_env(short, n, seed, vec_env_cls=kind)


def small(env: Any = None, **options: Any) -> DRAC:
    return DRAC("MlpPolicy", envs() if env is None else env, **{**SMALL, **options})


class Costless(gym.Wrapper):
    """Reports no h, where `silent` says."""

    def __init__(self, silent: tuple[str, ...] = ("reset", "step")) -> None:
        super().__init__(short())
        self.silent = silent

    def reset(self, **given: Any) -> Any:
        obs, info = self.env.reset(**given)
        return obs, {} if "reset" in self.silent else info

    def step(self, action: Any) -> Any:
        *rest, info = self.env.step(action)
        return *rest, {} if "step" in self.silent else info


def margin(obs: np.ndarray) -> np.ndarray:
    return DoubleIntegrator().margin(obs)
