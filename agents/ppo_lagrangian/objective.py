"""What a policy step of PPO-Lagrangian descends (SAFER, Eq. 69, 70 and Algorithm 4)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from safer_gym.agents.ppo_lagrangian.losses import lagrangian_surrogate, robustness_distance
from safer_gym.agents.ppo_lagrangian.rollouts import CostRolloutSamples
from safer_gym.divergences import gaussian_entropy
from safer_gym.types import Gaussian


class Weights(NamedTuple):
    """How the parts of the loss are made and weighed; see the options of PPOLagrangian."""

    lam: float
    clip_range: float
    cost_surrogate: str
    ent_coef: float
    regulariser_distance: str
    kl_coef: float


def policy_loss(
    new: Gaussian,
    attacked: Gaussian | None,
    log_ratio: Tensor,
    data: CostRolloutSamples,
    weights: Weights,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss, and what is to be logged of it.

    Args:
        new, attacked: the policy at the batch's states, and at what an attacker makes of them.
        log_ratio: of the new and the old density of the batch's actions, [B].
    """
    ratio, clip_range = log_ratio.exp(), weights.clip_range
    advantages = (data.advantages, data.cost_advantages)
    surrogate = lagrangian_surrogate(
        ratio, *advantages, weights.lam, clip_range, weights.cost_surrogate
    )
    gain, entropy = surrogate.mean(), gaussian_entropy(new).mean()
    loss = -gain - weights.ent_coef * entropy
    record = {"policy_gradient_loss": -gain, "entropy_loss": -entropy, "std": new.scale.mean()}
    if attacked is not None:
        distance = robustness_distance(new, attacked, weights.regulariser_distance).mean()
        loss = loss + weights.kl_coef * distance
        record["robustness_distance"] = distance
    record["clip_fraction"] = ((ratio.detach() - 1.0).abs() > clip_range).float().mean()
    return loss, record | {"loss": loss}
