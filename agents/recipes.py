"""Hyperparameters that work, by task and algorithm: what `safer-gym train` uses.

An entry has `total_timesteps`, `n_envs` (parallel environments, each contributing `train_freq`
steps to a round) and `kwargs` (constructor arguments beside the constructor's own defaults).
"""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.utils import LinearSchedule

Recipe = dict[str, Any]


def _recipe(total_timesteps: int, n_envs: int, horizon: int, eps: float, **own: Any) -> Recipe:
    """Rounds of one episode of `horizon` steps in each of `n_envs`, then 300 updates."""
    kwargs = {"eps": eps, "train_freq": horizon, "gradient_steps": 300, **own}
    return {"total_timesteps": total_timesteps, "n_envs": n_envs, "kwargs": kwargs}


def _networks(min_std: float, init_std: float, max_std: float) -> dict[str, Any]:
    return {
        "net_arch": [128, 128],
        "n_critics": 1,
        "n_cost_critics": 1,
        "actor_kwargs": {"min_std": min_std, "init_std": init_std, "max_std": max_std},
    }


SHARED: dict[str, Any] = {
    "learning_rate": 1e-3,
    "gamma": 0.98,
    "kl_bound_estep": 0.3,
    "kl_bound_mean": 0.1,
    "kl_bound_cov": 0.02,
    "dual_rate": 0.05,
}

BALL_CVPO = {**SHARED, "policy_kwargs": _networks(0.05, 0.45, 0.6)}

# Learn to run first, then to expect the attack. The limit is half the task's: it is kept on benign
# states, and an attacked episode also visits worse ones.
SAFER: dict[str, Any] = {
    **SHARED,
    "learning_rate": LinearSchedule(1e-3, 1e-4, 1.0),
    "kl_bound_cov": 0.01,
    "cost_limit": 2.5,
    "attacked_cost_critic": True,
    "attack_steps": 3,
    "adversarial_reference": "current",
    "kl_bound_adversarial": 0.1,
    "adversarial_cap_mean": 5.0,
    "eps_start": 0.35,
    "eps_end": 0.7,
}

BALL_SAFER = {**SAFER, "policy_kwargs": _networks(0.2, 0.45, 0.5)}

# A cart explores only with large steps, and has to forget the drift of its first policies.
CAR = {
    **SHARED,
    "kl_bound_cov": 0.01,
    "max_lam": 5.0,
    "buffer_size": 40_000,
    "policy_kwargs": _networks(0.1, 0.7, 0.8),
}

RUN = {**SHARED, "buffer_size": 80_000, "policy_kwargs": _networks(0.05, 0.45, 0.6)}

CAUTIOUS = {"policy_kwargs": _networks(0.2, 0.45, 0.5)}

RECIPES: dict[str, dict[str, Recipe]] = {
    "ball-circle": {
        "cvpo": _recipe(200_000, 20, 200, 0.05, **BALL_CVPO),
        "safer": _recipe(360_000, 20, 200, 0.05, **BALL_SAFER),
        "demo": _recipe(160_000, 20, 200, 0.05, **BALL_SAFER),
    },
    "car-circle": {
        "cvpo": _recipe(240_000, 10, 300, 0.05, **CAR),
        "safer": _recipe(240_000, 10, 300, 0.05, **(SAFER | CAR | CAUTIOUS)),
    },
    "drone-run": {
        "cvpo": _recipe(240_000, 40, 100, 0.025, **RUN),
        "safer": _recipe(240_000, 40, 100, 0.025, **(SAFER | RUN | CAUTIOUS)),
    },
    "ant-run": {
        "cvpo": _recipe(300_000, 20, 200, 0.025, **RUN),
        "safer": _recipe(300_000, 20, 200, 0.025, **(SAFER | RUN | CAUTIOUS)),
    },
}
