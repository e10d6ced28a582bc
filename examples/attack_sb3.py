"""Attack a Stable-Baselines3 policy that never heard of cost.

SAC has a reward critic, so the MR attack can use it; random search needs no critic's gradient.
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import torch
from stable_baselines3 import SAC

from safer_gym.conformance.evaluate import evaluate

TASK = "SaferGym/BallCircle-v0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timesteps", type=int, default=20_000)
    parser.add_argument("--episodes", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    model = SAC("MlpPolicy", gym.make(TASK), seed=0, device="cpu")
    model.learn(arguments.timesteps)
    for outcome in evaluate(
        model,
        lambda: gym.make(TASK),
        ["natural", "uniform", "mr"],
        eps=0.05,
        n_episodes=arguments.episodes,
    ):
        print(f"{outcome.attack:8} cost {outcome.mean_cost:6.2f}")


if __name__ == "__main__":
    main()
