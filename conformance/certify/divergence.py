"""What an adversary could use up along a benign episode, summed over its steps.

Constant noise: squared mean shifts, for the Gaussian filter. Otherwise Renyi divergences of each
order of ORDERS, for the Renyi filter. Then, for all policies, three sums of total variation: see
`HAZARD`, `TV` and `TV_LEFT`. All are suprema over a formal enclosure at each state; for a smoothed
policy over the ball itself, the same at all states; of noisy actions, which an adversary moves, the
radius over the deviation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds import (
    ORDERS,
    GaussianEnclosure,
    enclose_mean,
    enclose_policy,
    mean_shift,
    renyi_shift,
    step_hazard,
    tv_shift,
)
from safer_gym.bounds.interval import Enclosure
from safer_gym.conformance.evaluate.outcomes import Floats
from safer_gym.wrappers.policies.noisy_actions import NoisyActions
from safer_gym.wrappers.policies.smoothing import SmoothedPolicy
from safer_gym.wrappers.policies.stochastic import StochasticPolicy

Drawing = StochasticPolicy | SmoothedPolicy | NoisyActions
"""Policies whose noise bounds what an adversary can do."""

HAZARD, TV, TV_LEFT = -3, -2, -1
"""The last columns of what was spent: the sums of -log(1 - delta_t), of delta_t, and of delta_t
times the share of the longest episode that was left, delta_t the total variation of step t."""


def orders_of(policy: Drawing) -> tuple[float, ...]:
    """The orders of a policy's budgets; with constant noise one column of squared shifts."""
    return (np.inf,) if _is_gaussian(policy) else ORDERS


class Steps(NamedTuple):
    """What an adversary can do at each step."""

    divergences: Tensor
    """[T, orders]"""
    tv: Tensor
    """Total variation between attacked and benign action, [T]."""


def spent_budgets(
    policy: Drawing, episodes: Sequence[Floats], balls: Sequence[LpBall], horizon: int | None
) -> Floats:
    """Sums over each episode [n, balls, orders + 3].

    Args:
        policy: whose actions were drawn.
        episodes: the observations of each episode's steps, [T_i, *O].
        balls: what the adversary may do to each observation.
        horizon: length of the longest episode; None: nobody knows, `TV_LEFT` is infinite.
    """
    # The policy reads float32, and that is what an adversary would replace.
    obs = torch.as_tensor(np.concatenate(list(episodes)).astype(np.float32))
    starts = np.cumsum([0, *(len(episode) for episode in episodes[:-1])])
    passed = np.concatenate([np.arange(len(episode)) for episode in episodes])
    left = np.full(len(obs), np.inf) if horizon is None else (horizon - passed) / horizon
    with torch.no_grad():
        steps = [_columns(_steps(policy, obs, ball), torch.as_tensor(left)) for ball in balls]
    return np.stack([np.add.reduceat(step, starts, axis=0) for step in steps], axis=1)


def _columns(steps: Steps, left: Tensor) -> Floats:
    """What each step adds to each sum [T, orders + 3]."""
    tv = steps.tv.double()
    sums = torch.stack([step_hazard(tv), tv, torch.where(tv > 0, tv * left, 0.0)], dim=-1)
    return torch.cat([steps.divergences.double(), sums], dim=-1).cpu().numpy()


def _is_gaussian(policy: Drawing) -> bool:
    return not isinstance(policy, StochasticPolicy) or policy.layers.has_constant_noise


def _steps(policy: Drawing, obs: Tensor, ball: LpBall) -> Steps:
    if isinstance(policy, NoisyActions):
        return _shifted(policy.shift(ball, obs))
    if isinstance(policy, SmoothedPolicy):
        shift = torch.full((len(obs),), policy.shift(ball, tuple(obs.shape[1:]))).double()
        return _shifted(shift)
    benign = policy.layers.distribution(obs)
    if not policy.layers.has_constant_noise:
        enclosure = enclose_policy(policy.layers, obs, ball)
        return Steps(renyi_shift(enclosure, benign), tv_shift(enclosure, benign))
    mean = enclose_mean(policy.layers, obs, ball)
    shift = mean_shift(mean, benign.mean, benign.scale)
    still = GaussianEnclosure(mean, Enclosure(benign.scale.double(), benign.scale.double()))
    return Steps(shift.square().unsqueeze(-1), tv_shift(still, benign))


def _shifted(shift: Tensor) -> Steps:
    """Gaussians of equal covariance whose means are `shift` deviations apart [T]."""
    return Steps(shift.square().unsqueeze(-1), torch.erf(shift / math.sqrt(8)))
