"""Which replay buffer an agent gets, and with which options."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.her.her_replay_buffer import HerReplayBuffer

from safer_gym.agents.data.buffers import (
    CostDictReplayBuffer,
    CostNStepReplayBuffer,
    CostReplayBuffer,
)

COST_BUFFERS = (CostReplayBuffer, CostDictReplayBuffer, CostNStepReplayBuffer)


def choose_buffer(
    asked: type[ReplayBuffer] | None, space: spaces.Space, n_steps: int, save_memory: bool
) -> type[ReplayBuffer]:
    """The buffer class for an observation space.

    Args:
        save_memory: Stable-Baselines3's `optimize_memory_usage`, which its n-step class lacks.

    Raises:
        TypeError: the class asked for keeps no costs (hindsight replay is let through: its
            batches count as free of cost).
    """
    if asked is None:
        if isinstance(space, spaces.Dict):
            return CostDictReplayBuffer
        return CostNStepReplayBuffer if n_steps > 1 and not save_memory else CostReplayBuffer
    if issubclass(asked, (*COST_BUFFERS, HerReplayBuffer)):
        return asked
    names = ", ".join(buffer.__name__ for buffer in COST_BUFFERS)
    raise TypeError(
        f"replay_buffer_class must keep costs: one of {names}, a subclass of one, or "
        f"HerReplayBuffer; got {asked.__name__}."
    )


def with_costs(buffer_class: type[ReplayBuffer], kwargs: dict[str, Any], agent: Any) -> dict:
    """The buffer's options; the user's own win."""
    if not issubclass(buffer_class, COST_BUFFERS):
        return kwargs
    own = {"gamma": agent.gamma, "n_steps": agent.n_steps, "missing_cost": agent.cost.missing_cost}
    return own | kwargs
