"""Which replay buffer an agent gets, and with which options."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer, ReplayBuffer
from stable_baselines3.her.her_replay_buffer import HerReplayBuffer

from safer_gym.agents.data.buffers import (
    CostDictReplayBuffer,
    CostNStepReplayBuffer,
    CostReplayBuffer,
    CostStorage,
)
from safer_gym.agents.data.hindsight import CostHerReplayBuffer

WITH_COSTS: dict[type[ReplayBuffer], type[ReplayBuffer]] = {
    ReplayBuffer: CostReplayBuffer,
    DictReplayBuffer: CostDictReplayBuffer,
    NStepReplayBuffer: CostNStepReplayBuffer,
    HerReplayBuffer: CostHerReplayBuffer,
}
"""From Stable-Baselines3's buffers to those that keep costs."""


def choose_buffer(
    asked: type[ReplayBuffer] | None, space: spaces.Space, n_steps: int, save_memory: bool
) -> type[ReplayBuffer]:
    """The buffer class for an observation space; one of Stable-Baselines3's becomes its twin.

    Args:
        save_memory: Stable-Baselines3's `optimize_memory_usage`, which its n-step class lacks.

    Raises:
        TypeError: the class asked for keeps no costs.
    """
    if asked is None:
        if isinstance(space, spaces.Dict):
            return CostDictReplayBuffer
        return CostNStepReplayBuffer if n_steps > 1 and not save_memory else CostReplayBuffer
    if asked in WITH_COSTS or issubclass(asked, CostStorage):
        return WITH_COSTS.get(asked, asked)
    names = ", ".join(buffer.__name__ for buffer in WITH_COSTS.values())
    raise TypeError(
        f"replay_buffer_class must keep costs: one of {names}, or a subclass of one; got "
        f"{asked.__name__}."
    )


def with_costs(kwargs: dict[str, Any], agent: Any) -> dict[str, Any]:
    """The options of an agent's buffer; the user's own win."""
    own = {"gamma": agent.gamma, "n_steps": agent.n_steps, "missing_cost": agent.cost.missing_cost}
    return own | kwargs
