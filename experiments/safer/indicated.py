"""What benign episodes of a policy with constant noise say of a bound over every adversary.

It is what a certificate leans on, from fewer episodes and one state in `EVERY`; no certificate: the
budget is the largest that these episodes spent, and one error probability serves for all radii.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.env_util import make_vec_env

from safer_gym.balls import LpBall
from safer_gym.bounds import gaussian_filter, gaussian_steps
from safer_gym.conformance.statistics.binomial import binomial_upper
from safer_gym.wrappers.tasks import find_task

TASK = "ball-circle"
RATE, DELTA = 0.25, 0.05
EPS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015)
EVERY = 10
"""Of an episode's states one in so many is enclosed."""
ENVS = 25


class Benign(NamedTuple):
    """Episodes without an adversary."""

    returns: NDArray[np.float64]
    """[n]"""
    costs: NDArray[np.float64]
    """[n]"""
    obs: NDArray[np.float32]
    """[n, T, O], one state in `EVERY`."""


def benign(agent: Any, episodes: int, seed: int) -> Benign:
    """At least `episodes` whole episodes of the stochastic policy."""
    torch.manual_seed(seed)
    env = make_vec_env(find_task(TASK).make, ENVS, seed)
    obs = env.reset()
    returns: list[float] = []
    costs: list[float] = []
    seen: list[NDArray[np.float32]] = []
    while len(returns) < episodes:
        total, cost, done, kept = np.zeros(ENVS), np.zeros(ENVS), np.zeros(ENVS, bool), []
        while not done.all():  # all episodes of this task have the same length
            kept.append(np.array(obs))
            obs, reward, done, infos = env.step(agent.predict(obs)[0])
            total, cost = total + reward, cost + np.array([info["cost"] for info in infos])
        returns += total.tolist()
        costs += cost.tolist()
        seen.append(np.stack(kept[::EVERY], 1))
    env.close()
    return Benign(np.array(returns), np.array(costs), np.concatenate(seen))


def budgets(agent: Any, found: Benign) -> dict[float, float]:
    """For each radius the largest M of an episode, as far as the states that are enclosed tell."""
    layers, obs = agent.actor.policy_layers(), torch.as_tensor(found.obs).flatten(0, 1)
    shifts = {
        eps: gaussian_steps(layers, obs, LpBall.of("linf", eps), layers.distribution(obs))
        for eps in EPS
    }
    spent = {eps: EVERY * m.square().view(len(found.obs), -1).sum(1) for eps, m in shifts.items()}
    return {eps: float(square.max().sqrt()) for eps, square in spent.items()}


def summary(found: Benign, shifts: dict[float, float], limit: float = 5.0) -> dict[str, Any]:
    """Reward, violations, and the largest radius at which no adversary's rate is above `RATE`."""
    hits, n = int((found.costs > limit).sum()), len(found.costs)
    upper = binomial_upper(hits, n, DELTA)
    rates = {eps: float(gaussian_filter(upper, M)) for eps, M in shifts.items()}
    return {
        "reward": round(float(found.returns.mean()), 1),
        "cost": round(float(found.costs.mean()), 2),
        "violations": hits,
        "episodes": n,
        "M": {f"{eps:g}": round(M, 3) for eps, M in shifts.items()},
        "rate": {f"{eps:g}": round(rate, 4) for eps, rate in rates.items()},
        "indicated_eps": max((eps for eps, rate in rates.items() if rate <= RATE), default=0.0),
    }
