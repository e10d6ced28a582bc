"""The losses of TD3 whose actor pays for cost, as pure functions (Fujimoto et al. 2018; Eq. 70).

Shapes: K critics, B states, A actions; values [K, B], actions [B, A] in [-1, 1].
"""

from __future__ import annotations

from torch import Tensor


def smoothed(actions: Tensor, noise: Tensor, clip: float) -> Tensor:
    """The target policy's actions, each moved by noise of at most `clip`, inside [-1, 1]."""
    return (actions + noise.clamp(-clip, clip)).clamp(-1.0, 1.0)


def actor_loss(q_reward: Tensor, q_cost: Tensor, lam: float) -> Tensor:
    """The negative of (Q_r - lam Q_c) / (1 + lam); of Q_r the first critic's; Q_c is [B]."""
    return -((q_reward[0] - lam * q_cost) / (1.0 + lam)).mean()
