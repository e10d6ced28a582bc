"""Learn to grasp through a safe skill prior, and beside it on raw actions: who touches the walls?

python examples/skill_priors.py                       # a minute
python examples/skill_priors.py --timesteps 5000      # as in the tables of docs/skills.md

The prior is that of the packaged policy, learned from 100,000 scripted steps; see docs/skills.md
for how to train one on data of your own.
"""

from __future__ import annotations

import argparse
from typing import Any

import gymnasium as gym
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback

from safer_gym.conformance.evaluate.evaluation import evaluate
from safer_gym.conformance.loading import load_policy
from safer_gym.wrappers.skills import SkillActions, SkillPolicy
from safer_gym.wrappers.tasks import find_task

TASK, PACKAGED = "operation-13", "operation-13/skill-safer"
BLUR = 0.015
"""Noise on what is seen of the container's size, in metres."""


class Touches(BaseCallback):
    """Counts steps in which the arm touches the container, and objects that were extracted."""

    touches, out, episodes = 0.0, 0, 0

    def _on_step(self) -> bool:
        for info, done in zip(self.locals["infos"], self.locals["dones"], strict=True):
            self.touches += info["cost"]
            self.episodes += int(done)
            self.out += int(done and info["success"])
        return True


def learn(env: gym.Env, timesteps: int, name: str) -> Any:
    model = SAC(
        "MlpPolicy", env, gamma=0.97, learning_starts=100, train_freq=4, gradient_steps=2,
        ent_coef="auto_0.1", target_entropy=0.0, policy_kwargs={"net_arch": [64, 64]}, seed=0,
        device="cpu",
    )  # fmt: skip
    seen = Touches()
    model.learn(timesteps, callback=seen)
    print(f"{name:12} {seen.touches:5.0f} touches, {seen.out} of {seen.episodes} objects out")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timesteps", type=int, default=2000)
    parser.add_argument("--episodes", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    task = find_task(TASK, env_args={"blur": BLUR})
    packaged: Any = load_policy(PACKAGED).policy
    env = task.make()
    spaces: Any = env.observation_space, env.action_space
    learn(env, arguments.timesteps, "raw actions")
    skills = SkillActions(task.make(), packaged.prior, eta=packaged.eta)
    model = learn(skills, arguments.timesteps, "skills")

    policies = {
        "learned just now": SkillPolicy(model, packaged.prior, packaged.eta, *spaces),
        "packaged": packaged,
    }
    for name, policy in policies.items():
        for found in evaluate(
            policy, task.make, ("natural", "uniform"), eps=task.eps, n_episodes=arguments.episodes
        ):
            print(f"{name:17} {found.attack:8} reward {found.mean_return:6.1f}, "
                  f"touches an episode {found.mean_cost:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
