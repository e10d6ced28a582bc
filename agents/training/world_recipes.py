"""How the baselines of DRAC are trained on its worlds; DRAC's own recipes stand with DRAC.

Nothing disturbs their training. SAC is Stable-Baselines3's and sees the reward alone;
SAC-Lagrangian pays for the steps with h < 0, with a limit of 0.1 such steps in an episode.
"""

from __future__ import annotations

from typing import Any

Recipe = dict[str, Any]
N_ENVS = 4


def _soft(total_timesteps: int, width: int, updates: int, **own: Any) -> Recipe:
    """SAC's defaults, `updates` of them after a step of all environments."""
    kwargs = {
        "learning_starts": 1000,
        "buffer_size": 200_000,
        "gradient_steps": updates,
        "policy_kwargs": {"net_arch": [width, width]},
        **own,
    }
    return {"total_timesteps": total_timesteps, "n_envs": N_ENVS, "kwargs": kwargs}


def _baselines(total_timesteps: int, width: int, updates: int = N_ENVS) -> dict[str, Recipe]:
    return {
        "sac": _soft(total_timesteps, width, updates),
        "sac-lagrangian": _soft(total_timesteps, width, updates, cost_limit=0.1),
    }


WORLD_RECIPES: dict[str, dict[str, Recipe]] = {
    "double-integrator": _baselines(20_000, 64),
    "cart-pole": _baselines(30_000, 64),
    "racing-car": _baselines(40_000, 128),
    "walker2d": _baselines(100_000, 128, updates=2),
}
