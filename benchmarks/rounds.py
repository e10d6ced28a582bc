"""What a round of training is made of: is there anything to gain by collecting beside the updates?

A round steps the environments, then updates the networks. With both at once a round would take as
long as the longer of the two, on twice the cores: the share of collection is the most that this
could save.
"""

from __future__ import annotations

import time
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

from benchmarks.collection import PAPER
from safer_gym.agents.registry import find_algorithm
from safer_gym.agents.training.recipes import RECIPES
from safer_gym.wrappers.tasks import find_task


class _Clock(BaseCallback):
    """CPU seconds of collection and of all, from the second round on: the first may be random."""

    def __init__(self) -> None:
        super().__init__()
        self.starts: list[float] = []
        self.collected = 0.0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self.starts.append(time.process_time())

    def _on_rollout_end(self) -> None:
        if len(self.starts) > 1:
            self.collected += time.process_time() - self.starts[-1]

    def _on_training_end(self) -> None:
        self.total = time.process_time() - self.starts[1]


def measure(
    *,
    tasks: tuple[str, ...] = PAPER,
    algorithms: tuple[str, ...] = ("cvpo", "safer"),
    rounds: int = 3,
    **changed: Any,
) -> dict[str, Any]:
    """`rounds` rounds of each task's recipe; `changed` overrides its arguments."""
    rows = [_recipe(task, algorithm, rounds, changed) for task in tasks for algorithm in algorithms]
    return {"benchmark": "rounds", "setting": {"rounds": rounds}, "rows": rows}


def _recipe(task: str, algorithm: str, rounds: int, changed: dict[str, Any]) -> dict[str, Any]:
    recipe = RECIPES[task][algorithm]
    options = recipe["kwargs"] | changed
    envs = make_vec_env(find_task(task).make, n_envs=recipe["n_envs"], seed=0)
    model = find_algorithm(algorithm).load()("MlpPolicy", envs, seed=0, device="cpu", **options)
    clock = _Clock()
    model.learn(rounds * recipe["n_envs"] * options["train_freq"], callback=clock)
    envs.close()
    timed = rounds - 1
    return {
        "task": task,
        "algorithm": algorithm,
        "collection, CPU s": clock.collected / timed,
        "updates, CPU s": (clock.total - clock.collected) / timed,
        "share of collection": clock.collected / clock.total,
    }
