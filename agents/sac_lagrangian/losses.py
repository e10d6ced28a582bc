"""The losses of SAC whose actor pays for cost, as pure functions (Haarnoja et al. 2018; Eq. 70).

Shapes: K critics, B states; log-densities [B], values [K, B].
"""

from __future__ import annotations

from torch import Tensor

from safer_gym.agents.td import td_loss


def temperature_loss(log_alpha: Tensor, log_prob: Tensor, target_entropy: float) -> Tensor:
    """Raises the temperature alpha where the policy's entropy is below its target."""
    return -(log_alpha * (log_prob + target_entropy).detach()).mean()


def soft_critic_loss(values: Tensor, target: Tensor) -> Tensor:
    """Half the squared Bellman error, summed over the critics."""
    return 0.5 * td_loss(values, target)


def soft_value(q_reward: Tensor, alpha: Tensor, log_prob: Tensor) -> Tensor:
    """The lowest critic's value with the entropy's bonus, [B]."""
    return q_reward.amin(0) - alpha * log_prob


def actor_loss(
    log_prob: Tensor, q_reward: Tensor, q_cost: Tensor, alpha: Tensor, lam: float
) -> Tensor:
    """The negative of (Q_r - lam Q_c) / (1 + lam) with the entropy's bonus; Q_c is [B]."""
    lagrangian = (q_reward.amin(0) - lam * q_cost) / (1.0 + lam)
    return (alpha * log_prob - lagrangian).mean()
