"""Finite zero-sum games with a safety constraint: the oracle of DRAC's dual policy iteration.

The control is chosen first and the disturbance sees it; the system is deterministic. Axes: S
states, U controls, D disturbances. A state is safe where h >= 0. Policies are int arrays [S] of
controls. Source: the DRAC paper (Li et al., 2024), whose four steps are named beside the code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from safer_gym.tabular.cmdp import Bools, Floats, Ints

_SETTLED = 1e-13


class Game(NamedTuple):
    """A finite game. Build it with `make_game`, which checks all of this."""

    next_state: Ints
    """x' = f(x, u, d), [S, U, D]."""
    rewards: Floats
    """r(x, u, d), [S, U, D]."""
    h: Floats
    """The constraint function, [S]."""


class Solution(NamedTuple):
    """What dual policy iteration ends with."""

    task: Ints
    """pi: the control of each state, [S]; the safety policy's outside of the set."""
    safety: Ints
    """pi_h, [S]."""
    values: Floats
    """The worst return from each state of the set, [S]; NaN outside."""
    safety_values: Floats
    """V_h, [S]."""
    invariant: Bools
    """The robust invariant set {V_h >= 0}, [S]."""


def make_game(next_state: ArrayLike, h: ArrayLike, *, rewards: ArrayLike = 0.0) -> Game:
    """A checked game.

    Args:
        next_state: [S, U, D], whole numbers in [0, S).
        h: [S], finite.
        rewards: broadcast to [S, U, D], finite.

    Raises:
        ValueError: for shapes that do not fit, states that do not exist, numbers not finite.
    """
    states, margin = np.asarray(next_state), np.asarray(h, dtype=np.float64)
    if states.ndim != 3 or 0 in states.shape or not np.issubdtype(states.dtype, np.integer):
        raise ValueError(
            f"next_state must be whole numbers [S, U, D], none of them 0; got {states.dtype} "
            f"{states.shape}"
        )
    if states.min() < 0 or states.max() >= len(states):
        raise ValueError(f"next_state must lie in [0, {len(states)}); got {states.max()}")
    if margin.shape != states.shape[:1]:
        raise ValueError(f"h must have shape {states.shape[:1]}; got {margin.shape}")
    paid = np.broadcast_to(np.asarray(rewards, dtype=np.float64), states.shape)
    if not (np.isfinite(margin).all() and np.isfinite(paid).all()):
        raise ValueError("h and rewards must be finite")
    return Game(states.astype(np.int64), paid, margin)


def robust_invariant_set(game: Game) -> Bools:
    """The states [S] from which some control keeps h >= 0 for ever, whatever the disturbance.

    The greatest set of safe states each of which has a control that no disturbance leads out.
    """
    inside = game.h >= 0
    while True:
        kept = inside & np.any(safe_controls(game, inside), axis=1)
        if (kept == inside).all():
            return kept
        inside = kept


def safety_operator(game: Game, next_values: Floats, discount: float) -> Floats:
    """T_h: (1 - g_h) h(x) + g_h min{h(x), V(x')}, [S, U, D]; monotone, and a g_h-contraction.

    Args:
        game: the game.
        next_values: V [S], min over d' of Q(x', pi_h(x'), d').
        discount: g_h in [0, 1).
    """
    h = game.h[:, None, None]
    return (1 - discount) * h + discount * np.minimum(h, next_values[game.next_state])


def evaluate_safety(game: Game, policy: Ints, discount: float) -> Floats:
    """Step 1: Q_h [S, U, D] of a safety policy [S] against its worst disturbance."""
    values = game.h
    while True:
        q = safety_operator(game, values, discount)
        renewed = _of_policy(q, policy)
        if np.abs(renewed - values).max() <= _SETTLED * (1 - discount):
            return q
        values = renewed


def improve(q: Floats, policy: Ints, allowed: Bools | None = None) -> Ints:
    """Steps 2 and 4: argmax_u min_d Q(x, u, d), which keeps the present control among equals.

    Args:
        q: [S, U, D].
        policy: the present controls [S].
        allowed: which controls may be chosen [S, U]; None: all.
    """
    worst = q.min(axis=2)
    if allowed is not None:
        worst = np.where(allowed, worst, -np.inf)
    best, states = worst.argmax(axis=1), np.arange(len(policy))
    more = worst[states, best] > worst[states, policy] + _SETTLED * (1 + np.abs(q).max())
    return np.where(more, best, policy)


def safety_iteration(game: Game, discount: float) -> tuple[Ints, Floats]:
    """Steps 1 and 2 until no control improves: pi_h [S], and its Q_h [S, U, D]."""
    policy = np.zeros(len(game.h), dtype=np.int64)
    while True:
        q = evaluate_safety(game, policy, discount)
        improved = improve(q, policy)
        if (improved == policy).all():
            return policy, q
        policy = improved


def safe_controls(game: Game, inside: Bools) -> Bools:
    """U_h(x) [S, U]: the controls after which no disturbance leads out of a set [S]."""
    controls: Bools = np.all(inside[game.next_state], axis=2)
    return controls


def evaluate_task(game: Game, policy: Ints, gamma: float) -> Floats:
    """Step 3: Q = r + gamma min over d' of Q(x', pi(x'), d'), [S, U, D]."""
    values = np.zeros(len(game.h))
    while True:
        q = game.rewards + gamma * values[game.next_state]
        renewed = _of_policy(q, policy)
        if np.abs(renewed - values).max() <= _SETTLED * (1 + np.abs(q).max()):
            return q
        values = renewed


def dual_policy_iteration(game: Game, *, gamma: float, discount: float) -> Solution:
    """The paper's scheme: the safety policy first, then the task policy within its set.

    With `discount` at least `exact_discount(game)` the set is the maximal robust invariant set;
    with less it may be larger.

    Args:
        game: the game.
        gamma: of rewards, in [0, 1).
        discount: g_h of the safety value, in [0, 1).

    Raises:
        ValueError: a discount out of range.
    """
    for name, value in (("gamma", gamma), ("discount", discount)):
        if not 0 <= value < 1:
            raise ValueError(f"{name} must lie in [0, 1); got {value!r}")
    safety, q_safety = safety_iteration(game, discount)
    safety_values = _of_policy(q_safety, safety)
    inside = safety_values >= 0
    allowed = safe_controls(game, inside)
    task = np.where(inside & allowed.any(axis=1), allowed.argmax(axis=1), safety)
    while True:
        q = evaluate_task(game, task, gamma)
        improved = np.where(inside, improve(q, task, allowed | ~inside[:, None]), safety)
        if (improved == task).all():
            break
        task = improved
    values = np.where(inside, _of_policy(q, task), np.nan)
    return Solution(task, safety, values, safety_values, inside)


def exact_discount(game: Game) -> float:
    """A g_h from which on {V_h >= 0} is the robust invariant set.

    From a state outside of the set the worst disturbance reaches some h <= -m within S - 1 steps,
    m the least violation, so V_h <= (1 - g^(S-1)) M - g^(S-1) m with M the largest h: negative
    where g^(S-1) > M / (M + m).
    """
    violations = -game.h[game.h < 0]
    if not len(violations) or len(game.h) == 1 or game.h.max() <= 0:
        return 0.0
    share = game.h.max() / (game.h.max() + violations.min())
    return float((1 + share ** (1 / (len(game.h) - 1))) / 2)


def _of_policy(q: Floats, policy: Ints) -> Floats:
    """min over d of Q(x, pi(x), d), [S]."""
    return q[np.arange(len(policy)), policy].min(axis=1)
