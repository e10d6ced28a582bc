"""An algorithm: CVPO by another name, with a recipe for one task."""

from __future__ import annotations

from safer_gym.agents import CVPO
from safer_gym.agents.registry import register_algorithm


class Swinger(CVPO):
    """Nothing of its own."""


RECIPE = {
    "total_timesteps": 200,
    "n_envs": 2,
    "kwargs": {
        "learning_starts": 20,
        "train_freq": 10,
        "gradient_steps": 1,
        "batch_size": 16,
        "policy_kwargs": {"net_arch": [8]},
    },
}
register_algorithm("swinger", Swinger, recipes={"swing": RECIPE})
