"""Discounted sums over time, and the transform from an episodic cost limit to a bound on Q_c.

Time is the first axis: rewards [T, ...]. `done[t]` says that the episode ended with step t, so
nothing after it counts for it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from safer_gym.domains import AT_LEAST_ONE, NOT_NEGATIVE, SHARE, require


def cost_threshold(cost_limit: float, horizon: int, gamma: float) -> float:
    """The bound on Q_c that stands for an undiscounted episodic limit (paper B.2.1, after Eq. 67).

    cost_limit (1 - gamma^H) / (H (1 - gamma)): what the discounted cost would be if the limit
    were spent evenly over `horizon` steps. With gamma = 1 it is the limit itself.

    Raises:
        ValueError: if cost_limit < 0, horizon < 1 or gamma is not in [0, 1].
    """
    _check(cost_limit, horizon, gamma)
    if gamma == 1:
        return float(cost_limit)
    return cost_limit * (1 - gamma**horizon) / (horizon * (1 - gamma))


def endless_cost_threshold(cost_limit: float, horizon: int, gamma: float) -> float:
    """The bound on a Q_c that bootstraps at time limits: cost_limit / (H (1 - gamma)).

    What the discounted cost would be if the limit of each `horizon` steps were spent evenly, on and
    on. It is `cost_threshold` divided by 1 - gamma^H.

    Raises:
        ValueError: as `cost_threshold`, and for gamma = 1, where an endless sum has no bound.
    """
    _check(cost_limit, horizon, gamma)
    if gamma == 1:
        raise ValueError(f"gamma must be below 1 for an endless sum of costs; got {gamma!r}")
    return cost_limit / (horizon * (1 - gamma))


COST_THRESHOLDS: dict[str, Callable[[float, int, float], float]] = {
    "episode": cost_threshold,
    "endless": endless_cost_threshold,
}
"""How long the discounted cost behind a bound on Q_c goes on."""


def _check(cost_limit: float, horizon: int, gamma: float) -> None:
    require(NOT_NEGATIVE, cost_limit=cost_limit)
    require(AT_LEAST_ONE, horizon=horizon)
    require(SHARE, gamma=gamma)


def discounted_sums(
    rewards: Tensor, done: Tensor, gamma: float, last_value: Tensor | float = 0.0
) -> Tensor:
    """Discounted sums to the end of each episode, [T, ...].

    `last_value` is what follows the last step, where that step did not end its episode.
    """
    require(SHARE, gamma=gamma)
    result = torch.empty_like(rewards)
    following = torch.as_tensor(last_value, dtype=rewards.dtype, device=rewards.device)
    alive = 1 - done.to(rewards.dtype)
    for t in range(len(rewards) - 1, -1, -1):
        following = rewards[t] + gamma * alive[t] * following
        result[t] = following
    return result


def generalised_advantages(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    done: Tensor,
    gamma: float,
    gae_lambda: float,
) -> Tensor:
    """GAE [T, ...]: sums of TD errors discounted by gamma * lambda within an episode.

    `terminated` cuts the bootstrap from `next_values`; `done` (terminated or truncated) cuts the
    sum.
    """
    require(SHARE, gamma=gamma, gae_lambda=gae_lambda)
    alive = 1 - terminated.to(rewards.dtype)
    errors = rewards + gamma * alive * next_values - values
    return discounted_sums(errors, done, gamma * gae_lambda)
