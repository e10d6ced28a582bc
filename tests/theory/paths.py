"""All episodes of a small problem without an adversary, each with its chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from safer_gym.tabular.cmdp import CMDP, Floats, Ints

MOST = 1_000_000


class Paths(NamedTuple):
    """P episodes of H steps."""

    chance: Floats
    """[P], sums to one."""
    states: Ints
    """s_0 to s_{H-1}, [P, H]."""
    costs: Floats
    """Of the whole episode, [P]."""


def benign_paths(cmdp: CMDP, policy: Floats, horizon: int) -> Paths:
    """Every episode of `horizon` steps that one problem (no batch) and its policy [S, A] make.

    Raises:
        ValueError: a batch of problems, or more than a million paths.
    """
    if cmdp.transitions.ndim != 3:
        raise ValueError(f"one problem at a time; got a batch {cmdp.transitions.shape[:-3]}")
    branches = cmdp.n_states * cmdp.n_actions
    if cmdp.n_states * branches**horizon > MOST:
        raise ValueError(f"{cmdp.n_states} * {branches}^{horizon} paths are more than {MOST}")
    chance, costs = cmdp.start, np.zeros(cmdp.n_states)
    now, states = np.arange(cmdp.n_states), np.zeros((cmdp.n_states, 0), dtype=np.int64)
    for _ in range(horizon):
        # Each path goes on by every action and arrival: [P, A, S].
        chance = chance[:, None, None] * (policy[..., None] * cmdp.transitions)[now]
        costs = costs[:, None, None] + cmdp.costs[now]
        before = np.concatenate([states, now[:, None]], axis=1)
        states = np.repeat(before, branches, axis=0)
        now = np.broadcast_to(np.arange(cmdp.n_states), chance.shape).ravel()
        chance, costs = chance.ravel(), costs.ravel()
        kept = chance > 0
        chance, costs, now, states = chance[kept], costs[kept], now[kept], states[kept]
    return Paths(chance, states, costs)
