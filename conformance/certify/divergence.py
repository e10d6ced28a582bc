"""What an adversary could use up along a benign episode, summed over its steps.

Constant noise: squared mean shifts, for the Gaussian filter. Otherwise Renyi divergences of each
order of ORDERS, for the Renyi filter. Then, for all policies, three sums of total variation: see
`HAZARD`, `TV` and `TV_LEFT`. All are suprema over a formal enclosure at each state; for a smoothed
policy over the ball itself, the same at all states; of noisy actions, which an adversary moves, the
radius over the deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds import Steps, step_hazard
from safer_gym.conformance.evaluate.outcomes import Floats


class Drawing(Protocol):
    """A policy whose noise bounds what an adversary can do."""

    @property
    def orders(self) -> tuple[float, ...]:
        """Of its Renyi divergences; infinite for squared shifts of constant Gaussian noise."""
        ...

    def draw(self, obs: Tensor, generator: torch.Generator) -> Tensor:
        """Actions [B, A] at observations [B, *O]."""
        ...

    def steps(self, obs: Tensor, ball: LpBall) -> Steps:
        """What an adversary can do at each of `obs` [T, *O]."""
        ...


HAZARD, TV, TV_LEFT = -3, -2, -1
"""The last columns of what was spent: the sums of -log(1 - delta_t), of delta_t, and of delta_t
times the share of the longest episode that was left, delta_t the total variation of step t."""


def spent_budgets(
    policy: Drawing, episodes: Sequence[Floats], balls: Sequence[LpBall], horizon: int | None
) -> Floats:
    """Sums over each episode [n, balls, orders + 3].

    Args:
        policy: whose actions were drawn.
        episodes: the observations of each episode's steps, [T_i, *O].
        balls: what the adversary may do to each observation.
        horizon: length of the longest episode; None: unknown, `TV_LEFT` is infinite.
    """
    # The policy reads float32, and that is what an adversary would replace.
    obs = torch.as_tensor(np.concatenate(list(episodes)).astype(np.float32))
    starts = np.cumsum([0, *(len(episode) for episode in episodes[:-1])])
    passed = np.concatenate([np.arange(len(episode)) for episode in episodes])
    left = np.full(len(obs), np.inf) if horizon is None else (horizon - passed) / horizon
    with torch.no_grad():
        steps = [_columns(policy.steps(obs, ball), torch.as_tensor(left)) for ball in balls]
    return np.stack([np.add.reduceat(step, starts, axis=0) for step in steps], axis=1)


def _columns(steps: Steps, left: Tensor) -> Floats:
    """What each step adds to each sum [T, orders + 3]."""
    tv = steps.tv.double()
    sums = torch.stack([step_hazard(tv), tv, torch.where(tv > 0, tv * left, 0.0)], dim=-1)
    return torch.cat([steps.divergences.double(), sums], dim=-1).cpu().numpy()
