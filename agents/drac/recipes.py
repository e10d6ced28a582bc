"""How the worlds are trained by DRAC, its baselines and its ablations."""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.utils import LinearSchedule

Recipe = dict[str, Any]

RSAC: dict[str, Any] = {"constraint": "none"}
"""Two players and the reward alone."""
RAC: dict[str, Any] = {
    "adversary": False,
    "safety_policy": False,
    "multiplier_loss": "ascent",
}
"""Reachability without an adversary; the task policy is its own safety policy."""


def _recipe(updates: int, width: int, **own: Any) -> Recipe:
    """Eight environments; as many updates as steps, after a warm-up of 1000."""
    kwargs = {
        "learning_rate": LinearSchedule(1e-3, 1e-5, 1.0),
        "train_freq": 8,
        "gradient_steps": 64,
        "policy_kwargs": {"net_arch": [width, width]},
        **own,
    }
    return {"total_timesteps": updates + 1_000, "n_envs": 8, "kwargs": kwargs}


def _family(updates: int, width: int) -> dict[str, Recipe]:
    return {
        "drac": _recipe(updates, width),
        "rsac": _recipe(updates, width, **RSAC),
        "rac": _recipe(updates, width, **RAC),
    }


WORLDS: dict[str, dict[str, Recipe]] = {
    "double-integrator": _family(15_000, 64),
    "cart-pole": _family(29_000, 64),
    "racing-car": _family(39_000, 128),
}
"""By task and algorithm; those of the cart and the car are first guesses."""


def recipes_of(algorithm: str) -> dict[str, Recipe]:
    """By task."""
    return {task: recipes[algorithm] for task, recipes in WORLDS.items()}
