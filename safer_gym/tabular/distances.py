"""Distances between finite distributions, and how far an adversary can move a policy."""

from __future__ import annotations

import numpy as np

from safer_gym.domains import ABOVE_ONE, require
from safer_gym.tabular.cmdp import CMDP, Floats


def total_variation(p: Floats, q: Floats) -> Floats:
    """(1/2) sum |p - q| along the last axis, in [0, 1]."""
    return 0.5 * np.abs(p - q).sum(-1)


def kl(p: Floats, q: Floats) -> Floats:
    """KL(p || q) in nats along the last axis; infinite where q misses mass of p."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0)
    return np.maximum(terms.sum(-1), 0.0)


def renyi(p: Floats, q: Floats, order: float) -> Floats:
    """Renyi divergence D_order(p || q) in nats along the last axis, order > 1.

    Raises:
        ValueError: for order <= 1; use `kl` for the limit at 1.
    """
    require(ABOVE_ONE, order=order)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(p > 0, order * np.log(p) - (order - 1) * np.log(q), -np.inf)
    top = logs.max(-1, keepdims=True)
    finite = np.where(np.isfinite(top), top, 0.0)
    total = np.log(np.exp(logs - finite).sum(-1)) + finite[..., 0]
    return np.maximum(np.where(top[..., 0] == np.inf, np.inf, total) / (order - 1), 0.0)


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
