"""An agent as an attack sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from safer_gym.agents.common.td import aggregate
from safer_gym.types import Gaussian, Victim


def make_victim(
    agent: Any, *, scaled: bool = False, restore: Callable[[Tensor], PyTorchObs] | None = None
) -> Victim:
    """The online actor's mean and distribution with the online critics.

    Args:
        scaled: keep actions in [-1, 1] instead of the environment's units.
        restore: from the attacked tensor to the full observation, for Dict observations.
    """
    policy, restore = agent.policy, restore or (lambda tensor: tensor)
    low, high = (
        torch.as_tensor(bound, dtype=torch.float32, device=policy.device).flatten()
        for bound in (agent.action_space.low, agent.action_space.high)
    )
    half = (high - low) / 2.0

    def to_env(action: Tensor) -> Tensor:
        return action if scaled else low + (action + 1.0) * half

    def to_unit(action: Tensor) -> Tensor:
        return action if scaled else (action - low) / half - 1.0

    def q_value(critic: Any, how: str) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda obs, action: aggregate(critic.values(restore(obs), to_unit(action)), how)

    def distribution(obs: Tensor) -> Gaussian:
        return policy.actor.distribution(restore(obs))

    return Victim(
        action=lambda obs: to_env(policy.actor(restore(obs), deterministic=True)),
        q_reward=q_value(policy.critic, agent.reward_aggregation),
        q_cost=q_value(policy.cost_critic, agent.cost_aggregation),
        distribution=distribution,
    )
