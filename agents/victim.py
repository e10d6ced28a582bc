"""An agent as an attack sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from safer_gym.agents.networks.plain import with_pull, with_slope
from safer_gym.agents.td import aggregate
from safer_gym.types import Gaussian, QFn, Victim


def make_victim(
    agent: Any, *, scaled: bool = False, restore: Callable[[Tensor], PyTorchObs] | None = None
) -> Victim:
    """The online actor's mean and distribution with the online critics.

    Args:
        scaled: keep actions in [-1, 1] instead of the environment's units.
        restore: from the attacked tensor to the full observation, for Dict observations.
    """
    policy, whole = agent.policy, restore is None
    restore = restore or (lambda tensor: tensor)
    if scaled:
        half = torch.ones(agent.action_space.shape, device=policy.device).flatten()
        low = -half
    else:
        low, high = (
            torch.as_tensor(bound, dtype=torch.float32, device=policy.device).flatten()
            for bound in (agent.action_space.low, agent.action_space.high)
        )
        half = (high - low) / 2.0

    def action(obs: Tensor) -> Tensor:
        unit = policy.actor(restore(obs), deterministic=True)
        return unit if scaled else low + (unit + 1.0) * half

    def q_value(critic: Any, how: str) -> QFn:
        def q(obs: Tensor, action: Tensor) -> Tensor:
            unit = action if scaled else (action - low) / half - 1.0
            return aggregate(critic.values(restore(obs), unit), how)

        return with_slope(q, critic, how, low, half) if whole else q

    def distribution(obs: Tensor) -> Gaussian:
        return policy.actor.distribution(restore(obs))

    return Victim(
        action=with_pull(action, policy.actor, low, half) if whole else action,
        q_reward=q_value(policy.critic, agent.reward_aggregation),
        q_cost=q_value(policy.cost_critic, agent.cost_aggregation),
        distribution=distribution if hasattr(policy.actor, "distribution") else None,
    )
