"""Learn SAFER on Ball-Circle, then attack it.

python examples/learn_and_attack.py                    # ten minutes
python examples/learn_and_attack.py --timesteps 600    # a look at how it works
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import torch

from safer_gym.agents import SAFER
from safer_gym.conformance.evaluate import evaluate

TASK = "SaferGym/BallCircle-v0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timesteps", type=int, default=100_000)
    parser.add_argument("--episodes", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    model = SAFER("MlpPolicy", gym.make(TASK), cost_limit=5.0, eps=0.05, seed=0)
    model.learn(arguments.timesteps)

    outcomes = evaluate(
        model,
        lambda: gym.make(TASK),
        ["natural", "mc", "mr"],
        eps=0.05,
        n_episodes=arguments.episodes,
    )
    for outcome in outcomes:
        print(
            f"{outcome.attack:8} reward {outcome.mean_return:7.1f}  cost {outcome.mean_cost:6.2f}"
        )


if __name__ == "__main__":
    main()
