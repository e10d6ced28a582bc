"""What an agent's own attacker, or a benign offset, makes of its observations."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from safer_gym.agents.training_attack.attack import TrainingAttack
from safer_gym.agents.training_attack.benign_offsets import BenignOffsets
from safer_gym.agents.training_attack.flat_obs import flat_bounds, flatten_obs, is_attackable
from safer_gym.agents.training_attack.obs_spread import unit_of_radius
from safer_gym.agents.victim import make_victim


def attacked_batch(
    agent: Any, obs: PyTorchObs, attack: TrainingAttack | BenignOffsets
) -> PyTorchObs:
    """A batch of observations as `attack` shows it to `agent` at its present progress.

    What is shown lies in the observation space: where it is bounded, so is the attack. At a radius
    of zero, and where no part of the space is a Box, it is `obs` itself.
    """
    progress = 1.0 - agent._current_progress_remaining
    unit = unit_of_radius(agent)
    if not (np.any(attack.radius(progress) * unit) and is_attackable(agent.observation_space)):
        return obs
    flat = flatten_obs(obs, agent.observation_space)
    restore = flat.restore if isinstance(obs, dict) else None
    victim = make_victim(agent, scaled=True, restore=restore)
    normaliser = agent._vec_normalize_env
    shown = {} if normaliser is None else {"shown": normaliser.normalize_obs}
    box = flat_bounds(agent.observation_space, **shown)
    return flat.restore(attack(victim, flat.tensor, progress, agent._generator, box, unit))


def attacked_array(agent: Any, clean: Any, attack: TrainingAttack | BenignOffsets) -> Any:
    """The same for arrays (or a dict of them) as environments give them, [E, *O]."""
    obs, _ = agent.policy.obs_to_tensor(clean)
    shown: Any = attacked_batch(agent, obs, attack)
    if isinstance(shown, dict):
        return {key: _as_stored(value, clean[key]) for key, value in shown.items()}
    return _as_stored(shown, clean)


def attacked_first(
    agent: Any, clean: Any, attack: TrainingAttack | BenignOffsets, count: int
) -> Any:
    """A copy of `clean` whose first `count` rows are attacked."""
    if isinstance(clean, dict):
        head = {key: value[:count] for key, value in clean.items()}
        shown = attacked_array(agent, head, attack)
        return {key: np.concatenate([shown[key], clean[key][count:]]) for key in clean}
    return np.concatenate([attacked_array(agent, clean[:count], attack), clean[count:]])


def _as_stored(attacked: Tensor, clean: np.ndarray) -> np.ndarray:
    """In the dtype of the clean observation; integers are rounded towards it, not out of range."""
    array = attacked.cpu().numpy()
    if np.issubdtype(clean.dtype, np.integer) and np.issubdtype(array.dtype, np.floating):
        limits = np.iinfo(clean.dtype)
        array = np.clip(clean + np.trunc(array - clean), limits.min, limits.max)
    return array.astype(clean.dtype)
