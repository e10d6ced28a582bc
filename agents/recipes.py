"""Hyperparameters that work, by task and algorithm: what `safer-gym train` uses.

An entry has `total_timesteps`, `n_envs` (parallel environments, each contributing `train_freq`
steps to a round) and `kwargs` (constructor arguments beside the constructor's own defaults).
"""

from __future__ import annotations

from typing import Any

Recipe = dict[str, Any]


def _recipe(total_timesteps: int, gradient_steps: int, eps: float, **kwargs: Any) -> Recipe:
    shared = {"gradient_steps": gradient_steps, "policy_kwargs": _networks(128)}
    return {
        "total_timesteps": total_timesteps,
        "n_envs": 10,
        "kwargs": {"eps": eps, **shared, **kwargs},
    }


def _networks(width: int) -> dict[str, Any]:
    return {"net_arch": [width, width], "n_cost_critics": 1}


RECIPES: dict[str, dict[str, Recipe]] = {
    "ball-circle": {
        "cvpo": _recipe(120_000, 300, 0.05),
        "safer": _recipe(200_000, 300, 0.05),
        "demo": _recipe(100_000, 300, 0.05),
    },
    "car-circle": {
        "cvpo": _recipe(150_000, 300, 0.05, train_freq=300),
        "safer": _recipe(200_000, 300, 0.05, train_freq=300),
    },
    "drone-run": {
        "cvpo": _recipe(200_000, 300, 0.025, train_freq=100),
        "safer": _recipe(200_000, 300, 0.025, train_freq=100),
    },
    "ant-run": {
        "cvpo": _recipe(300_000, 300, 0.025),
        "safer": _recipe(300_000, 300, 0.025),
    },
}
