"""How far an adversary of observations moves safety coordinates."""

from __future__ import annotations

import torch
from torch import Tensor

from safer_gym.balls import LpBall


def reach_of(weight: Tensor, ball: LpBall) -> Tensor:
    """Half-widths [K] of z = weight obs over the ball: the dual norm of each row [K, O]."""
    scaled = weight * ball.eps.flatten()
    order = {1.0: torch.inf, 2.0: 2.0, torch.inf: 1.0}[ball.p]
    return torch.linalg.vector_norm(scaled, ord=order, dim=1)
