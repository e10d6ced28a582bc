"""What the statements need of a finite problem: how far its policy can be moved, where it goes."""

from __future__ import annotations

import numpy as np

from safer_gym.tabular.cmdp import CMDP, Floats
from safer_gym.tabular.distances import renyi, total_variation
from safer_gym.tabular.values import state_kernel


def ball_variation(cmdp: CMDP, policy: Floats) -> Floats:
    """delta(s) = max over o in B(s) of TV(pi(. | o), pi(. | s)), [..., S]."""
    pairs = total_variation(policy[..., None, :, :], policy[..., :, None, :])
    return np.where(cmdp.balls, pairs, 0.0).max(-1)


def ball_renyi(cmdp: CMDP, policy: Floats, order: float) -> Floats:
    """max over o in B(s) of D_order(pi(. | o) || pi(. | s)), attacked against benign, [..., S]."""
    pairs = renyi(policy[..., None, :, :], policy[..., :, None, :], order)
    return np.where(cmdp.balls, pairs, 0.0).max(-1)


def arrival_probability(cmdp: CMDP) -> Floats:
    """p_s = max_a P(c > 0 | s, a), [..., S]: the chance to pay anything in one step.

    Made of arrivals that cost, not of states that cost: with the latter the paper's Lemma 2 and
    both of its theorems fail.
    """
    return np.where(cmdp.costs > 0, cmdp.transitions, 0.0).sum(-1).max(-1)


def occupancy(cmdp: CMDP, policy: Floats, horizon: int) -> Floats:
    """P(s_t = s) without an adversary for t = 0 .. H - 1, [H, ..., S]."""
    kernel = state_kernel(cmdp, policy)
    now = cmdp.start
    found = []
    for _ in range(horizon):
        found.append(now)
        now = (now[..., None, :] @ kernel)[..., 0, :]
    return np.stack(found)
