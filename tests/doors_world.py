"""One small world behind every kind of space, and policies for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import onnx_bytes
import torch
from gymnasium import spaces
from gymnasium.wrappers import FrameStackObservation

OBSERVATIONS: dict[str, spaces.Space] = {
    "box": spaces.Box(-np.inf, np.inf, (2,), np.float32),
    "dict": spaces.Dict({"a": spaces.Box(-2, 2, (2,)), "b": spaces.Box(-2, 2, (1,))}),
    "image": spaces.Box(0, 255, (8, 8, 1), np.uint8),
    "stacked": spaces.Box(-np.inf, np.inf, (2,), np.float32),
    "discrete": spaces.Discrete(4),
}
ACTIONS: dict[str, spaces.Space] = {
    "box": spaces.Box(-1, 1, (1,), np.float32),
    "discrete": spaces.Discrete(3),
    "multidiscrete": spaces.MultiDiscrete([2, 3]),
    "multibinary": spaces.MultiBinary(2),
}
STEPS = 4


class World(gym.Env):
    """A place on a line; an action's sum moves it; cost to the right of 0.2."""

    def __init__(self, obs: str = "box", action: str = "box") -> None:
        self.kind = obs
        self.observation_space, self.action_space = OBSERVATIONS[obs], ACTIONS[action]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.x = float(self.np_random.uniform(-0.5, 0.5))
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        self.x += 0.1 * float(np.sum(action)) + float(self.np_random.uniform(-0.05, 0.05))
        return self._seen(), 1.0, False, False, {"cost": float(self.x > 0.2)}

    def _seen(self) -> Any:
        if self.kind == "dict":
            return {"a": np.full(2, self.x, np.float32), "b": np.zeros(1, np.float32)}
        if self.kind == "image":
            return np.full((8, 8, 1), int(np.clip(128 + 100 * self.x, 0, 255)), np.uint8)
        if self.kind == "discrete":
            return int(np.clip(2 + 2 * self.x, 0, 3))
        return np.full(2, self.x, np.float32)


def make(obs: str = "box", action: str = "box") -> gym.Env:
    """An environment whose observations and actions are of these kinds."""
    world = World(obs, action)
    return FrameStackObservation(world, 2) if obs == "stacked" else world


def rest(obs: Any) -> np.ndarray:
    """For Box actions."""
    return np.zeros(1, np.float32)


def third(obs: Any) -> int:
    """For Discrete actions."""
    return 2


def module() -> torch.nn.Module:
    """A network of two numbers."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


class Remembering:
    """A policy with a memory, by Stable-Baselines3's contract."""

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[np.ndarray, Any]:  # fmt: skip
        """What was seen before moves it a little."""
        rows = np.asarray(observation, np.float32).reshape(-1, 2)
        before = np.zeros((len(rows), 1), np.float32) if state is None else state[0]
        if episode_start is not None:
            before = np.where(np.reshape(episode_start, (-1, 1)), 0.0, before).astype(np.float32)
        answer = np.clip(-0.1 * before, -1, 1).astype(np.float32)
        return answer.reshape(*np.shape(observation)[:-1], 1), (before + rows[:, :1],)


def remembering() -> Remembering:
    """One of them."""
    return Remembering()


def write_models(folder: Path) -> None:
    """Model files by the names that the table uses."""
    from sb3_contrib import RecurrentPPO
    from stable_baselines3 import DQN, PPO

    from safer_gym.agents import CVPO

    small: dict[str, Any] = {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 0}
    on = {**small, "n_steps": 8, "batch_size": 8}
    for name, obs, action in (
        ("ppo", "box", "box"), ("ppo_discrete", "box", "discrete"),
        ("ppo_multidiscrete", "box", "multidiscrete"), ("ppo_multibinary", "box", "multibinary"),
        ("ppo_dict", "dict", "box"), ("ppo_image", "image", "box"),
        ("ppo_stacked", "stacked", "box"), ("ppo_of_discrete", "discrete", "box"),
    ):  # fmt: skip
        policy = "MultiInputPolicy" if obs == "dict" else "MlpPolicy"
        PPO(policy, make(obs, action), **on).save(folder / name)
    DQN("MlpPolicy", make(action="discrete"), buffer_size=10, **small).save(folder / "dqn")
    CVPO("MlpPolicy", make(), buffer_size=10, episode_length=STEPS, **small).save(folder / "cvpo")
    recurrent = {**on, "policy_kwargs": {"lstm_hidden_size": 8, "net_arch": [8]}}
    RecurrentPPO("MlpLstmPolicy", make(), **recurrent).save(folder / "recurrent")
    torch.jit.script(module()).save(folder / "scripted.pt")
    weight = np.zeros((2, 1), np.float32)
    (folder / "linear.onnx").write_bytes(
        onnx_bytes.model(
            [onnx_bytes.node("MatMul", ["obs", "w"], "action")],
            [onnx_bytes.tensor("w", weight)],
            [onnx_bytes.value("obs", ["N", 2])],
            [onnx_bytes.value("action", ["N", 1])],
        )
    )
