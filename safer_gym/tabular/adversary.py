"""The exact optimal adversary of a fixed policy: a decision problem of its own.

The adversary's action in state s is the state o in B(s) that it shows; the world then moves by
sum_a pi(a | o) P(s' | s, a) and pays the true cost. Its optimum over all adaptive, randomised,
history-dependent adversaries is reached by a deterministic stationary one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from safer_gym.domains import POSITIVE, require
from safer_gym.tabular.cmdp import CMDP, Floats, Ints
from safer_gym.tabular.values import Values, expected_signal, policy_values, shown

_TIE = 1e-12


class Attacked(NamedTuple):
    """A deterministic adversary and what it does."""

    adversary: Ints
    """The state shown in each state, [..., S]."""
    values: Values
    """Discounted cost of the policy behind it, at the true states."""
    rounds: int
    """Rounds of improvement that were taken; the slowest problem of the batch counts."""


def offers(cmdp: CMDP, policy: Floats, q: Floats) -> Floats:
    """sum_a pi(a | o) q(s, a) for what may be shown, -inf elsewhere, [..., S, O]."""
    return np.where(cmdp.balls, q @ np.swapaxes(policy, -1, -2), -np.inf)


def truth(cmdp: CMDP) -> Ints:
    """The adversary that shows every state as it is, [..., S]."""
    shape = cmdp.balls.shape[:-1]
    return np.broadcast_to(np.arange(cmdp.n_states), shape)


def best_response(cmdp: CMDP, policy: Floats, q: Floats, current: Ints) -> Ints:
    """The greedy adversary for action values q [..., S, A]; ties stay with `current` [..., S]."""
    offered = offers(cmdp, policy, q)
    kept = np.take_along_axis(offered, current[..., None], -1)[..., 0]
    scale = 1 + np.abs(q).max(axis=(-2, -1), keepdims=True)[..., 0]
    better = offered.max(-1) > kept + _TIE * scale
    return np.where(better, offered.argmax(-1), current)


def attacked(cmdp: CMDP, policy: Floats, adversary: Ints, rounds: int = 0) -> Attacked:
    """An adversary [..., S] with its exact values."""
    values = policy_values(cmdp, shown(policy, adversary), cmdp.costs)
    return Attacked(adversary, values, rounds)


def optimal_adversary(cmdp: CMDP, policy: Floats) -> Attacked:
    """The adversary of the highest discounted cost at every state, by policy iteration.

    Exact up to about 1e-12 / (1 - gamma), relative to the largest value.
    """
    found = attacked(cmdp, policy, truth(cmdp))
    while True:
        better = best_response(cmdp, policy, found.values.q, found.adversary)
        if (better == found.adversary).all():
            return found
        found = attacked(cmdp, policy, better, found.rounds + 1)


def value_iteration(cmdp: CMDP, policy: Floats, accuracy: float = 1e-10) -> Floats:
    """The optimal adversary's values [..., S], within `accuracy`, by value iteration.

    A second way to `optimal_adversary`, kept apart from it on purpose.
    """
    immediate = expected_signal(cmdp, cmdp.costs)
    gamma = cmdp.gamma[..., None, None]
    require(POSITIVE, accuracy=accuracy)
    least = accuracy * (1 - cmdp.gamma)[..., None]
    v = np.zeros(cmdp.balls.shape[:-1])
    while True:
        q = immediate + gamma * (cmdp.transitions @ v[..., None, :, None])[..., 0]
        new = offers(cmdp, policy, q).max(-1)
        done = (np.abs(new - v) <= least).all()
        v = new
        if done:
            return v


def one_step_gain(cmdp: CMDP, policy: Floats, values: Floats) -> Floats:
    """(T v - v)(s) for any values [..., S]: what one more greedy step would gain, [..., S].

    T is the Bellman operator of the adversary. v + max_s gain / (1 - gamma) bounds the optimum,
    and so does any v with gain <= 0 everywhere (a super-solution).
    """
    immediate = expected_signal(cmdp, cmdp.costs)
    future = (cmdp.transitions @ values[..., None, :, None])[..., 0]
    q = immediate + cmdp.gamma[..., None, None] * future
    return offers(cmdp, policy, q).max(-1) - values


def residual_bound(cmdp: CMDP, policy: Floats, values: Floats) -> Floats:
    """A bound [..., S] on the optimal adversary's values from any guess `values` [..., S]."""
    gain = one_step_gain(cmdp, policy, values).max(-1)
    return values + (np.maximum(gain, 0) / (1 - cmdp.gamma))[..., None]
