"""How often a prior's actions touch the container within a bound on z, without any learning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.skills.worlds import blurred
from safer_gym.agents.skills import SkillPrior
from safer_gym.wrappers.skills import SkillActions
from safer_gym.wrappers.worlds.tasks import OPERATIONS

EPISODES = 2
"""Of each task."""
A = 5

Draw = Callable[[np.random.Generator, float], NDArray]


def truncated(rng: np.random.Generator, eta: float) -> NDArray:
    """z ~ N(0, I), each entry drawn again until it lies within the bound [A]."""
    z = rng.standard_normal(A)
    while (out := np.abs(z) > eta).any():
        z[out] = rng.standard_normal(int(out.sum()))
    return z


def uniform(rng: np.random.Generator, eta: float) -> NDArray:
    """z uniform in the box [A]; its corners lie far outside of the data."""
    return rng.uniform(-eta, eta, A)


DRAWS: dict[str, Draw] = {"truncated": truncated, "uniform": uniform}


def calibration(
    prior: SkillPrior, bounds: Mapping[str, float], seed: int
) -> dict[str, dict[str, Any]]:
    """Unsafe share of each roll-out, by how z is drawn and by the bound on unsafe actions."""
    return {
        name: {
            unsafe: _rolled(prior, eta, draw, seed) if eta > 1e-3 else None
            for unsafe, eta in bounds.items()
        }
        for name, draw in DRAWS.items()
    }


def _rolled(prior: SkillPrior, eta: float, draw: Draw, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    shares, successes = [], []
    for spec in OPERATIONS:
        env = SkillActions(blurred(spec.task.name).make(), prior, eta)
        for episode in range(EPISODES):
            costs, success = _episode(env, lambda: draw(rng, eta), 1000 + episode)
            shares.append(round(float(np.mean(costs)), 4))
            successes.append(success)
        env.close()
    return {"eta": eta, "unsafe": shares, "success": float(np.mean(successes))}


def _episode(env: SkillActions, z: Callable[[], NDArray], seed: int) -> tuple[list[float], bool]:
    env.reset(seed=seed)
    costs, over = [], False
    while not over:
        _, _, terminated, truncated_, info = env.step(z().astype(np.float32))
        costs.append(info["cost"])
        over = terminated or truncated_
    return costs, bool(info["success"])
