"""Environments of identity size, with known answers, for the tests of the algorithms."""

from __future__ import annotations

import os
import time
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from safer_gym.agents import CVPO, SAFER, PPOLagrangian
from safer_gym.agents.cvpo.variational import Variational

Step = tuple[Any, float, bool, bool, dict[str, Any]]


class Timed(gym.Env):
    """An environment whose episodes end after `horizon` steps, by the clock."""

    horizon: ClassVar[int] = 20
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, self.draw_shape, np.float32)
        self.spec = gym.envs.registration.EnvSpec("Test-v0", max_episode_steps=self.horizon)

    draw_shape: ClassVar[tuple[int, ...]] = (1,)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.t = 0
        self.state = self.draw()
        return self.state, {}

    def step(self, action: np.ndarray) -> Step:
        reward, cost = self.judge(action)
        self.t += 1
        self.state = self.draw()
        info = {} if cost is None else {"cost": cost}
        return self.state, reward, self.is_terminal(), self.t >= self.horizon, info

    def draw(self) -> Any:
        return self.np_random.uniform(-1.0, 1.0, self.draw_shape).astype(np.float32)

    def judge(self, action: np.ndarray) -> tuple[float, float | None]:
        return 1.0, float(action.flat[0] > 0)

    def is_terminal(self) -> bool:
        return False


class Boxed(Timed):
    """An observation space that says what the observations keep to: [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = spaces.Box(-1.0, 1.0, (1,), np.float32)


class Gamble(Timed):
    """Track the observation with action 0; action 1 is the stake s = (1 + a_1) / 2.

    Reward 1 - (a_0 - obs)^2 + 2 s, cost s: the constrained optimum stakes cost_limit / horizon at
    each step, the unconstrained one everything.
    """

    action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def judge(self, action: np.ndarray) -> tuple[float, float | None]:
        stake = float(1.0 + action[1]) / 2.0
        return 1.0 - float(action[0] - self.state[0]) ** 2 + 2.0 * stake, stake


class Cliff(Timed):
    """Speed up on the road, stop at the cliff, and the two look alike to an attacked eye.

    Positions: -1 (the cliff), 1 and 4 (road). With throttle u = (1 + a) / 2, the reward is u on the
    road, the cost is u at the cliff. An attacker of radius 1.5 shows the cliff as 0.5; the smooth
    policy that is best for clean eyes drives there. A policy that waits for more than 0.5 is safe.
    """

    eps: ClassVar[float] = 1.5
    positions: ClassVar[tuple[float, ...]] = (-1.0, -1.0, 1.0, 4.0)

    def draw(self) -> Any:
        return np.array([self.np_random.choice(self.positions)], np.float32)

    def judge(self, action: np.ndarray) -> tuple[float, float | None]:
        throttle = float(1.0 + action[0]) / 2.0
        at_cliff = self.state[0] < 0
        return (0.0, throttle) if at_cliff else (throttle, 0.0)


class Pendulum(Timed):
    """Two states in turn, obs 0 (cost 1 and reward 1 on leaving it) and obs 1 (none).

    Whatever the action: Q(0) = 1 / (1 - gamma^2), Q(1) = gamma / (1 - gamma^2) where only the clock
    ends an episode. If leaving state 1 terminates, Q(0) = 1 and Q(1) = 0.
    """

    horizon: ClassVar[int] = 7

    def __init__(self, terminates: bool = False) -> None:
        self.terminates = terminates
        super().__init__()

    def draw(self) -> Any:
        return np.array([self.t % 2], np.float32)

    def judge(self, action: np.ndarray) -> tuple[float, float | None]:
        return float(self.state[0] == 0), float(self.state[0] == 0)

    def is_terminal(self) -> bool:
        return self.terminates and self.t == 2


class Encoded(Timed):
    """The observation tells everything: [environment, episode, step]; so does the cost."""

    draw_shape: ClassVar[tuple[int, ...]] = (3,)
    horizon: ClassVar[int] = 5

    def __init__(self, index: int = 0) -> None:
        self.index, self.episode = index, 0
        super().__init__()

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        self.episode += 1
        return super().reset(seed=seed)

    def draw(self) -> Any:
        return np.array([self.index, self.episode, self.t], np.float32)

    def judge(self, action: np.ndarray) -> tuple[float, float | None]:
        return -self.cost_at(self.state), self.cost_at(self.state)

    @staticmethod
    def cost_at(obs: np.ndarray) -> float:
        return float(100.0 * obs[..., 0] + 10.0 * (obs[..., 1] % 7) + obs[..., 2])


class Troubled(Encoded):
    """Tells what action it took; goes wrong on request (`set_attr("trouble", ...)`)."""

    trouble = ""
    """"error" raises, "exit" ends the process with code 7, "slow" takes a moment."""

    def step(self, action: np.ndarray) -> Step:
        if self.trouble == "error":
            raise OSError("the simulator is gone")
        if self.trouble == "exit":
            os._exit(7)
        if self.trouble == "slow":
            time.sleep(0.002)
        obs, reward, terminated, truncated, info = super().step(action)
        return obs, reward, terminated, truncated, {**info, "took": action.copy()}


class Steep(Timed):
    """Actions between 1 and 5; the cost tells when one is outside."""

    action_space = spaces.Box(1.0, 5.0, (1,), np.float32)

    def judge(self, action: np.ndarray) -> tuple[float, float | None]:
        return float(action[0]), float(not 1.0 <= action[0] <= 5.0)


class Costless(Timed):
    """No info["cost"]."""

    def judge(self, action: np.ndarray) -> tuple[float, float | None]:
        return 1.0, None


class Camera(Timed):
    """Images of one brightness."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = spaces.Box(0, 255, (36, 36, 1), np.uint8)

    def draw(self) -> Any:
        return np.full((36, 36, 1), self.np_random.integers(256), np.uint8)


class Mixed(Timed):
    """A Dict of a vector and a discrete part."""

    def __init__(self) -> None:
        super().__init__()
        box = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = spaces.Dict({"vector": box, "mode": spaces.Discrete(3)})

    def draw(self) -> Any:
        vector = self.np_random.uniform(-1.0, 1.0, 2).astype(np.float32)
        return {"vector": vector, "mode": int(self.np_random.integers(3))}


TINY: dict[str, Any] = {
    "buffer_size": 2000,
    "learning_starts": 20,
    "batch_size": 16,
    "train_freq": 20,
    "gradient_steps": 2,
    "n_particles": 4,
    "gamma": 0.9,
    "seed": 0,
    "device": "cpu",
    "policy_kwargs": {"net_arch": [16]},
}
ALGORITHMS = {"CVPO": CVPO, "SAFER": SAFER}


def small_agent(
    algorithm: str = "SAFER", env: gym.Env | VecEnv | None = None, **options: Any
) -> Variational:
    """An agent that updates in milliseconds."""
    env = Timed() if env is None else env
    policy = options.pop("policy", "MlpPolicy")
    return ALGORITHMS[algorithm](policy, env, **(TINY | options))


TINY_ON_POLICY: dict[str, Any] = {
    "n_steps": 20,
    "batch_size": 20,
    "n_epochs": 2,
    "gamma": 0.9,
    "buffer_size": 400,
    "critic_updates": 2,
    "critic_batch_size": 8,
    "seed": 0,
    "device": "cpu",
    "policy_kwargs": {"net_arch": [8]},
}


def small_ppol(env: gym.Env | VecEnv | None = None, **options: Any) -> PPOLagrangian:
    """An on-policy agent that updates in milliseconds."""
    env = Timed() if env is None else env
    policy = options.pop("policy", "MlpPolicy")
    return PPOLagrangian(policy, env, **(TINY_ON_POLICY | options))


def vectorised(kind: type[gym.Env], n_envs: int, seed: int = 0) -> VecEnv:
    """`n_envs` seeded copies; `Encoded` ones get their own index."""
    makers = [
        (lambda i=i: kind(i)) if issubclass(kind, Encoded) else kind  # type: ignore[misc]
        for i in range(n_envs)
    ]
    env = DummyVecEnv(makers)
    env.seed(seed)
    return env


def watched(agent: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the behaviour policy sees, step by step."""
    seen: list[Any] = []
    predict = agent.predict

    def spy(obs: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append({k: v.copy() for k, v in obs.items()} if isinstance(obs, dict) else obs.copy())
        return predict(obs, *args, **kwargs)

    monkeypatch.setattr(agent, "predict", spy)
    return seen
