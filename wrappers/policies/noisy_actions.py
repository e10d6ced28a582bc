"""Gaussian noise on the action itself, seen from an adversary that moves the action.

It knows all but the noise of this step. So it moves the mean of the noise by what it moves the
action, whatever the policy is: the shift is the radius over the deviation, and nothing of the
policy needs to be known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds.smoothing import noise_shift
from safer_gym.bounds.steps import Steps, shifted
from safer_gym.types import ActionFn

Deviations = Callable[[Tensor], Tensor]
"""Observations [B, *O] to standard deviations [B, A], or lower Cholesky factors [B, A, A]."""


@dataclass(frozen=True)
class NoisyActions:
    """mean(s) + deviation(s) noise, before the environment clips it.

    Args:
        mean: the action without noise, in the environment's units.
        deviation: of the noise, in the same units.
    """

    mean: ActionFn
    deviation: Deviations

    @staticmethod
    def constant(mean: ActionFn, std: Any) -> NoisyActions:
        """Noise of the same deviations [A] everywhere."""
        fixed = torch.as_tensor(std, dtype=torch.float64).flatten()
        return NoisyActions(mean, lambda obs: fixed.expand(len(obs), -1))

    def draw(self, obs: Tensor, generator: torch.Generator) -> Tensor:
        """Actions [B, A] at `obs` [B, *O]; each row has noise of its own."""
        mean, scale = self.mean(obs), self.deviation(obs)
        noise = torch.randn(mean.shape, generator=generator, dtype=torch.float64).to(scale)
        if scale.dim() == mean.dim() + 1:
            noise = (scale @ noise.unsqueeze(-1)).squeeze(-1)
        else:
            noise = scale * noise
        return mean + noise.to(mean)

    @property
    def orders(self) -> tuple[float, ...]:
        """Constant noise: budgets of squared shifts."""
        return (math.inf,)

    def steps(self, obs: Tensor, ball: LpBall) -> Steps:
        """What an adversary can do at each of `obs` [T, *O]."""
        return shifted(self.shift(ball, obs))

    def shift(self, ball: LpBall, obs: Tensor) -> Tensor:
        """How far an adversary moves the mean, in deviations, at each of `obs` [T, *O]: [T].

        Args:
            ball: of actions, or of rows that end with them.
        """
        scale = self.deviation(obs).double()
        n_actions = scale.shape[1]
        eps = ball.eps.flatten()[-n_actions:].expand(n_actions)
        return noise_shift(ball.p, eps, scale)
