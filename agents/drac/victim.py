"""A DRAC policy as an attack sees it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from safer_gym.types import Gaussian, Victim


def drac_victim(policy: Any) -> Victim:
    """The acting policy, Q and -Q_h; each adversary answers where an attack names no disturbance.

    Args:
        policy: a DRACPolicy.
    """
    low, half = _box(policy.action_space.low, policy.action_space.high)
    followers = policy.followers

    def unit_action(action: Tensor) -> Tensor:
        return (action - low) / half - 1.0

    def action(obs: Any) -> Tensor:
        unit: Tensor = policy(obs, deterministic=True)
        return low + (unit + 1.0) * half

    def q_reward(obs: Any, action: Tensor) -> Tensor:
        return _least(policy.critic_target, obs, followers.task_pair(obs, unit_action(action)))

    def q_cost(obs: Any, action: Tensor) -> Tensor:
        pair = followers.safety_pair(obs, unit_action(action))
        return -_least(policy.safety_critic_target, obs, pair)

    def distribution(obs: Any) -> Gaussian:
        return followers.actor.distribution(obs)

    victim = Victim(action, q_reward, distribution=distribution)
    if policy.has_safety:
        victim = victim._replace(q_cost=q_cost)
    return _disturbed(policy, victim, unit_action) if policy.disturbance_ends else victim


def _disturbed(policy: Any, victim: Victim, unit_action: Any) -> Victim:
    """The victim with critics that see the disturbance."""
    low, half = _box(*policy.disturbance_ends)

    def pair(action: Tensor, disturbance: Tensor) -> Tensor:
        # A disturbance of width zero has one value, which is 0 in [-1, 1].
        unit = torch.where(half > 0, (disturbance - low) / half.clamp(min=1e-12) - 1.0, 0.0)
        return torch.cat([unit_action(action), unit], dim=-1)

    def q_reward(obs: Any, action: Tensor, disturbance: Tensor) -> Tensor:
        return _least(policy.critic_target, obs, pair(action, disturbance))

    def q_cost(obs: Any, action: Tensor, disturbance: Tensor) -> Tensor:
        return -_least(policy.safety_critic_target, obs, pair(action, disturbance))

    victim = victim._replace(q_reward_disturbed=q_reward)
    return victim._replace(q_cost_disturbed=q_cost) if policy.has_safety else victim


def _least(critic: Any, obs: Any, pair: Tensor) -> Tensor:
    values: Tensor = critic.values(obs, pair)
    return values.amin(0)


def _box(low: Any, high: Any) -> tuple[Tensor, Tensor]:
    """Lower ends and half widths."""
    lowest, highest = (torch.as_tensor(end, dtype=torch.float32).flatten() for end in (low, high))
    return lowest, (highest - lowest) / 2.0
