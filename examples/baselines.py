"""Learn the baselines with a cost limit on Ball-Circle, and evaluate each under the same attacks.

python examples/baselines.py                    # some twenty minutes
python examples/baselines.py --timesteps 600    # a look at how it works
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import torch
from stable_baselines3.common.env_util import make_vec_env

from safer_gym.agents import PPOLagrangian, SACLagrangian
from safer_gym.conformance.evaluate import evaluate

TASK, LIMIT, EPS = "SaferGym/BallCircle-v0", 5.0, 0.05


def ppol(**options: Any) -> PPOLagrangian:
    """On-policy: rollouts of one episode of 200 steps in each of 20 environments."""
    return PPOLagrangian(
        "MlpPolicy",
        make_vec_env(TASK, n_envs=20, seed=0),
        n_steps=200,
        batch_size=500,
        learning_rate=5e-4,
        target_kl=0.02,
        cost_limit=LIMIT,
        eps=EPS,
        seed=0,
        **options,
    )


def sac_lagrangian() -> SACLagrangian:
    """Off-policy: 300 updates after each round of one episode in each environment."""
    return SACLagrangian(
        "MlpPolicy",
        make_vec_env(TASK, n_envs=20, seed=0),
        learning_rate=1e-3,
        learning_starts=4_000,
        train_freq=200,
        gradient_steps=300,
        tau=0.02,
        gamma=0.98,
        cost_limit=LIMIT,
        multiplier_lr=0.02,
        policy_kwargs={"net_arch": [128, 128]},
        seed=0,
    )


BASELINES: dict[str, Callable[[], Any]] = {
    "PPO-Lagrangian": ppol,
    "SA-PPO-Lagrangian(MC)": lambda: ppol(regulariser="mc"),
    "ADV-PPO-Lagrangian": lambda: ppol(collection_attack="mc"),
    "SAC-Lagrangian": sac_lagrangian,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timesteps", type=int, default=200_000)
    parser.add_argument("--episodes", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name, make in BASELINES.items():
        model = make().learn(arguments.timesteps)
        attacks, episodes = ("natural", "mc", "mr"), arguments.episodes
        for run in evaluate(model, lambda: gym.make(TASK), attacks, eps=EPS, n_episodes=episodes):
            print(
                f"{name:22} {run.attack:8} reward {run.mean_return:7.1f}  cost {run.mean_cost:6.2f}"
            )


if __name__ == "__main__":
    main()
