"""Trainings of a second: every method of the paper, and the options that no method uses."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import nn

from experiments.safer.methods import METHODS, find_method
from safer_gym.agents import AheadVecEnv
from safer_gym.agents.registry import find_algorithm
from safer_gym.agents.training.recipes import RECIPES

TASK = "ball-circle"
"""Whose recipes are trained, on another environment and with other sizes."""


class Drift(gym.Env):
    """A point that drifts by chance; leaving the middle costs, leaving the box ends the episode."""

    observation_space: spaces.Space = spaces.Box(-3.0, 3.0, (3,), np.float32)
    action_space = spaces.Box(np.float32([-2.0, 0.0]), np.float32([1.0, 0.5]))

    def __init__(self) -> None:
        self.spec = gym.envs.registration.EnvSpec("Drift-v0", max_episode_steps=15)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.t, self.state = 0, self.np_random.normal(size=3).clip(-3.0, 3.0)
        return self.seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.t += 1
        push = np.append(action, 0.1 * action.sum())
        self.state = self.state + 0.3 * push + 0.2 * self.np_random.normal(size=3)
        out = bool(np.abs(self.state).max() > 3.0)
        self.state = self.state.clip(-3.0, 3.0)
        info = {"cost": float(np.abs(self.state[0]) > 0.5)}
        return self.seen(), float(self.state[:2].sum()), out, self.t >= 15, info

    def seen(self) -> Any:
        """The observation."""
        return self.state.astype(np.float32)


class DriftInParts(Drift):
    """The same as a Dict of two vectors and a number."""

    observation_space = spaces.Dict(
        {
            "place": spaces.Box(-3.0, 3.0, (2,), np.float32),
            "height": spaces.Box(-3.0, 3.0, (1,), np.float32),
            "late": spaces.Discrete(2),
        }
    )

    def seen(self) -> Any:
        place, height = np.split(self.state.astype(np.float32), [2])
        return {"place": place, "height": height, "late": int(self.t > 7)}


class DriftOnFilm(Drift):
    """The same as an image."""

    observation_space = spaces.Box(0, 255, (36, 36, 1), np.uint8)

    def seen(self) -> Any:
        picture = np.zeros((36, 36, 1), np.uint8)
        row, column = (6.0 * (self.state[:2] + 3.0)).astype(int).clip(0, 35)
        picture[row, column] = 255
        return picture


SMALL_NETS = {"net_arch": [16, 16]}
OFF_POLICY: dict[str, Any] = {
    "buffer_size": 400,
    "learning_starts": 40,
    "batch_size": 16,
    "train_freq": 20,
    "gradient_steps": 6,
}
ON_POLICY: dict[str, Any] = {
    "n_steps": 30,
    "batch_size": 30,
    "n_epochs": 2,
    "buffer_size": 200,
    "critic_updates": 5,
    "critic_batch_size": 16,
}
SCHEDULE: dict[str, Any] = {"eps": 0.2, "eps_start": 0.1, "eps_end": 0.5}


class Training(NamedTuple):
    """One short training: a method of the paper, with changes."""

    method: str
    own: dict[str, Any] = {}
    """Constructor arguments over the recipe's and the method's."""
    env: type[gym.Env] = Drift
    policy: str = "MlpPolicy"
    nets: dict[str, Any] = {}
    """Over the recipe's `policy_kwargs`."""
    overlap: bool = False
    normalised: bool = False
    steps: int = 240

    def make(self) -> Any:
        """The untrained agent."""
        method = find_method(self.method, TASK)
        recipe = RECIPES[TASK][method.recipe or method.algorithm]["kwargs"]
        nets = recipe.get("policy_kwargs", {}) | SMALL_NETS | self.nets
        sizes = ON_POLICY if "ppol" in method.algorithm else OFF_POLICY
        schedule = {} if method.algorithm == "sac-lagrangian" else SCHEDULE
        kwargs = recipe | method.options | sizes | schedule | self.own | {"policy_kwargs": nets}
        kind: Any = AheadVecEnv if self.overlap else DummyVecEnv
        envs = make_vec_env(self.env, 3, seed=1, vec_env_cls=kind)
        if self.normalised:
            envs = VecNormalize(envs)
        algorithm = find_algorithm(method.algorithm).load()
        return algorithm(self.policy, envs, seed=3, device="cpu", **kwargs)


PIXELS: dict[str, Any] = {"env": DriftOnFilm, "policy": "CnnPolicy", "steps": 60}
PARTS: dict[str, Any] = {"env": DriftInParts, "policy": "MultiInputPolicy"}

TRAININGS: dict[str, Training] = {
    **{name: Training(name) for name in METHODS},
    "CVPO, joint KL, full covariance": Training(
        "CVPO-vanilla",
        {"kl_mode": "joint", "m_steps": 3, "max_grad_norm": 0.5, "reference": "polyak"},
        nets={"actor_kwargs": {"covariance": "full"}, "n_critics": 2},
    ),
    "CVPO, bfloat16, mean of particles": Training(
        "CVPO-vanilla",
        {"estep_dtype": "bfloat16", "mle_scale": "mean", "reference": "update", "n_steps": 1},
    ),
    "CVPO, sampled action, endless": Training(
        "CVPO-vanilla",
        {
            "cost_action": "sample",
            "cost_bootstrap": "until_terminated",
            "threshold_horizon": "endless",
            "lam_warmup": 0.5,
            "cost_limit": 0.5,
        },
    ),
    "CVPO, memory saved": Training(
        "CVPO-vanilla",
        {
            "optimize_memory_usage": True,
            "cost_bootstrap": "until_terminated",
            "replay_buffer_kwargs": {"handle_timeout_termination": False},
        },
    ),
    "CVPO, dict": Training("ADV-CVPO", **PARTS),
    "CVPO, normalised": Training("ADV-EM-CVPO", normalised=True),
    "CVPO, overlapped": Training("ADV-CVPO", overlap=True),
    "SAFER, dict": Training("SAFER-attacked", **PARTS),
    "SAFER, pixels": Training("SAFER-attacked", **PIXELS),
    "SAFER, pixels, shared": Training(
        "SAFER-attacked", nets={"share_features_extractor": True}, **PIXELS
    ),
    "SAFER, normalised": Training("SAFER-attacked", normalised=True),
    "SAFER, overlapped": Training("SAFER-attacked", overlap=True),
    "SAFER, each M-step": Training(
        "SAFER-paper",
        {
            "attack_each_m_step": True,
            "m_steps": 3,
            "adversarial_reference": "old",
            "attack": "mr",
            "attack_steps": 2,
            "kl_bound_adversarial": 1e-5,
            "norm": "l2",
        },
    ),
    "SAFER, pair, tanh": Training(
        "SAFER-attacked",
        {"cost_aggregation": "min"},
        nets={"n_cost_critics": 2, "activation_fn": nn.Tanh},
    ),
    "SAFER, benign offsets": Training(
        "SAFER-attacked", {"attacked_share": 0.0, "offset_steps": 7, "offset_share": 0.7}
    ),
    "SAC-Lagrangian, PID": Training("SAC-Lagrangian", {"multiplier": "pid"}),
    "SAC-Lagrangian, by critic": Training(
        "SAC-Lagrangian",
        {"multiplier_signal": "critic", "target_update_interval": 2, "cost_limit": 0.5},
    ),
    "SAC-Lagrangian, pixels": Training("SAC-Lagrangian", {"n_steps": 1}, **PIXELS),
    "SAC-Lagrangian, overlapped": Training("SAC-Lagrangian", overlap=True),
    "PPOL, dict": Training("ADV-PPOL", **PARTS),
    "PPOL, pixels": Training("SA-PPOL(MC)", **PIXELS),
    "PPOL, normalised": Training("ADV-PPOL", normalised=True),
    "PPOL, linear": Training(
        "SA-PPOL(MR)",
        {
            "cost_surrogate": "linear",
            "cost_advantage": "centred",
            "regulariser_distance": "kl",
            "target_kl": None,
            "ent_coef": 0.01,
        },
        nets={"actor_kwargs": {"covariance": "diagonal"}},
    ),
}
