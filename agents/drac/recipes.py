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
    "max_lam": 1e4,
}
"""Reachability without an adversary; the task policy is its own safety policy.

RCRL's multiplier has no bound. At a bound of 100 the return outweighs Q_h where a state cannot be
safe, and no set is learned.
"""


DOUBLE_INTEGRATOR: dict[str, float] = {"safety_discount": 0.9999, "shield_margin": 0.015}
"""At 0.999 the value of a state whose violation is fifty steps away is too high by about 0.02, and
some states just outside of the set count as safe. On the cart-pole one seed of three then fails."""
RACING_CAR: dict[str, float] = {"region_margin": 0.3, "shield_margin": 0.1, "anneal_share": 0.7}
"""It moves by up to a sixth of its road's half width a step, and the margins are in proportion. It
takes long to learn to drive, and until then g_h must not be close to 1."""


def _recipe(steps: int, width: int, **own: Any) -> Recipe:
    """Eight environments; an update a step, after a warm-up of 1000."""
    kwargs = {
        "learning_rate": LinearSchedule(1e-3, 1e-5, 1.0),
        "train_freq": 8,
        "gradient_steps": 64,
        "policy_kwargs": {"net_arch": [width, width]},
        **own,
    }
    return {"total_timesteps": steps, "n_envs": 8, "kwargs": kwargs}


def _family(
    steps: int, baselines: int, width: int, drac: dict[str, float] | None = None, **own: Any
) -> dict[str, Recipe]:
    """DRAC's with so many steps and options of its own, and those of its baselines."""
    return {
        "drac": _recipe(steps, width, **own, **(drac or {})),
        "rsac": _recipe(baselines, width, **RSAC, **own),
        "rac": _recipe(baselines, width, **RAC, **own),
    }


WORLDS: dict[str, dict[str, Recipe]] = {
    "double-integrator": _family(50_000, 20_000, 64, DOUBLE_INTEGRATOR),
    "cart-pole": _family(50_000, 30_000, 64),
    "racing-car": _family(40_000, 40_000, 128, RACING_CAR),
    "walker2d": _family(100_000, 100_000, 128, gradient_steps=32),
}
"""By task and algorithm; that of the walker is a first guess."""
GENERAL = _family(50_000, 50_000, 128)
"""By algorithm, for any other environment; a guess."""


def recipes_of(algorithm: str) -> dict[str, Recipe]:
    """By task."""
    return {task: recipes[algorithm] for task, recipes in WORLDS.items()}
