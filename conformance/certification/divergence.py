"""What an adversary could use up along a benign episode: divergences of the action, summed.

Constant noise: squared mean shifts, for the Gaussian filter. Otherwise Renyi divergences of each
order of ORDERS, for the Renyi filter. Both are suprema over a formal enclosure at each state; for
a smoothed policy over the ball itself, the same at all states.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from safer_gym.balls import LpBall
from safer_gym.bounds import ORDERS, gaussian_steps, renyi_steps
from safer_gym.conformance.outcomes import Floats
from safer_gym.wrappers.smoothing import SmoothedPolicy
from safer_gym.wrappers.stochastic import StochasticPolicy

Drawing = StochasticPolicy | SmoothedPolicy
"""Policies whose noise bounds what an adversary can do."""


def orders_of(policy: Drawing) -> tuple[float, ...]:
    """The orders of a policy's budgets; with constant noise one column of squared shifts."""
    return (np.inf,) if _is_gaussian(policy) else ORDERS


def spent_budgets(policy: Drawing, episodes: Sequence[Floats], balls: Sequence[LpBall]) -> Floats:
    """Sums over each episode [n, balls, orders].

    Args:
        policy: whose actions were drawn.
        episodes: the observations of each episode's steps, [T_i, *O].
        balls: what the adversary may do to each observation.
    """
    # The policy reads float32, and that is what an adversary would replace.
    obs = torch.as_tensor(np.concatenate(list(episodes)).astype(np.float32))
    starts = np.cumsum([0, *(len(episode) for episode in episodes[:-1])])
    with torch.no_grad():
        steps = [_steps(policy, obs, ball).cpu().numpy() for ball in balls]
    return np.stack([np.add.reduceat(step, starts, axis=0) for step in steps], axis=1)


def _is_gaussian(policy: Drawing) -> bool:
    return isinstance(policy, SmoothedPolicy) or policy.layers.has_constant_noise


def _steps(policy: Drawing, obs: torch.Tensor, ball: LpBall) -> torch.Tensor:
    """Divergence of each step's action [T, orders]."""
    if isinstance(policy, SmoothedPolicy):
        shift = policy.shift(ball, tuple(obs.shape[1:]))
        return torch.full((len(obs), 1), shift**2, dtype=torch.float64)
    benign = policy.layers.distribution(obs)
    if policy.layers.has_constant_noise:
        return gaussian_steps(policy.layers, obs, ball, benign).square().unsqueeze(-1)
    return renyi_steps(policy.layers, obs, ball, benign)
