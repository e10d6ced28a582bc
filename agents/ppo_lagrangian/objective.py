"""What a policy step of PPO-Lagrangian descends (SAFER, Eq. 69, 70 and Algorithm 4)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from safer_gym.agents.ppo_lagrangian.losses import lagrangian_surrogate
from safer_gym.agents.ppo_lagrangian.rollouts import CostRolloutSamples
from safer_gym.types import Gaussian


class Evaluated(NamedTuple):
    """What a policy thinks of the actions of a rollout."""

    log_prob: Tensor
    """[B]"""
    entropy: Tensor
    """[B]"""
    gaussian: Gaussian | None
    """Its distribution; None where it is no plain Gaussian."""


class Weights(NamedTuple):
    """How the parts of the loss are made and weighed; see the options of PPOLagrangian."""

    lam: float
    clip_range: float
    cost_surrogate: str
    ent_coef: float
    kl_coef: float


def policy_loss(
    log_ratio: Tensor,
    entropy: Tensor,
    distance: Tensor | None,
    data: CostRolloutSamples,
    weights: Weights,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss, and what is to be logged of it.

    Args:
        log_ratio: of the new and the old density of the batch's actions, [B].
        entropy: of the new policy, [B].
        distance: of the new policy at the batch's states and at what an attacker makes of them,
            [B]; None without a regulariser.
    """
    ratio, clip_range = log_ratio.exp(), weights.clip_range
    advantages = (data.advantages, data.cost_advantages)
    surrogate = lagrangian_surrogate(
        ratio, *advantages, weights.lam, clip_range, weights.cost_surrogate
    )
    gain, spread = surrogate.mean(), entropy.mean()
    loss = -gain - weights.ent_coef * spread
    record = {"policy_gradient_loss": -gain, "entropy_loss": -spread}
    if distance is not None:
        loss = loss + weights.kl_coef * distance.mean()
        record["robustness_distance"] = distance.mean()
    record["clip_fraction"] = ((ratio.detach() - 1.0).abs() > clip_range).float().mean()
    return loss, record


def clipped_values(values: Tensor, old: Tensor, clip_range: float | None) -> Tensor:
    """Values that have moved at most `clip_range` from the old ones; None lets them move freely."""
    return values if clip_range is None else old + (values - old).clamp(-clip_range, clip_range)
