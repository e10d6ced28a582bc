"""What one unit of a training's radius is: of the observation as it is, or of its deviation."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.running_mean_std import RunningMeanStd

from safer_gym.agents.training_attack.flat_obs import box_sizes, flat_array


def note_spread(agent: Any, obs: Any) -> None:
    """Count a step's observations [E, *O] where the agent's radius is one of deviations.

    The estimate is `agent.obs_spread`: of all observations since the training began, one entry for
    each of a row of `flatten_obs`. It is saved with the model.
    """
    ball = vars(agent).get("ball")
    if ball is None or ball.units == "raw":
        return
    rows = flat_array(obs, agent.observation_space)
    if agent.obs_spread is None:
        agent.obs_spread = RunningMeanStd(epsilon=0.0, shape=rows.shape[1:])
    agent.obs_spread.update(rows)


def unit_of_radius(agent: Any) -> float | np.ndarray:
    """What the policy's observation changes by in one unit of the radius, for each entry.

    With `units="normalised"` it is the standard deviation so far, and 1 where a VecNormalize
    has divided by its own. Before the first step nothing is known and it is 0: no attack.
    """
    if agent.ball.units == "raw":
        return 1.0
    if agent.obs_spread is None:
        return 0.0
    deviations = np.sqrt(agent.obs_spread.var)
    divided = _divided(agent._vec_normalize_env, agent.observation_space)
    return np.where(divided, 1.0, deviations)


def _divided(normaliser: Any, space: spaces.Space) -> Any:
    """Which entries of a row of `flatten_obs` a VecNormalize has divided."""
    if normaliser is None or not normaliser.norm_obs:
        return False
    if not isinstance(space, spaces.Dict):
        return True
    sizes, divided = box_sizes(space), normaliser.norm_obs_keys
    return np.concatenate([np.full(size, key in divided) for key, size in sizes.items()])
