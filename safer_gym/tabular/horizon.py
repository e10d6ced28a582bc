"""Exact worst cases of one episode of H steps: mean cost, and the chance to exceed a limit.

Backward dynamic programming over all adaptive adversaries, undiscounted. The benign figures are
those of `unattacked(cmdp)`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from safer_gym.domains import AT_LEAST_ONE, NOT_NEGATIVE, require
from safer_gym.tabular.adversary import offers
from safer_gym.tabular.cmdp import CMDP, Floats, Ints
from safer_gym.tabular.values import expected_signal


class Plan(NamedTuple):
    """A worst case and the adversary that reaches it."""

    value: Floats
    """From the start distribution, [...]."""
    by_state: Floats
    """From each first state, [..., S]."""
    adversary: Ints
    """What to show: [H, ..., S], or [H, ..., L, S] with the budget that is left (0 .. L - 1)."""


def worst_mean(cmdp: CMDP, policy: Floats, horizon: int, terminal: Floats | float = 0.0) -> Plan:
    """max over adversaries of E[cost of `horizon` steps + terminal(s_H)]; terminal is [..., S]."""
    immediate = expected_signal(cmdp, cmdp.costs)
    v = np.broadcast_to(np.asarray(terminal, np.float64), cmdp.balls.shape[:-1])
    choices = []
    for _ in range(_checked(horizon)):
        q = immediate + (cmdp.transitions @ v[..., None, :, None])[..., 0]
        offered = offers(cmdp, policy, q)
        v = offered.max(-1)
        choices.append(offered.argmax(-1))
    return Plan((cmdp.start * v).sum(-1), v, np.stack(choices[::-1]))


def worst_rate(cmdp: CMDP, policy: Floats, horizon: int, limit: float) -> Plan:
    """max over adversaries of P(cost of `horizon` steps > limit).

    The adversary sees what the episode has cost so far; costs must be whole numbers.

    Raises:
        ValueError: for costs that are not whole numbers, limit < 0 or horizon < 1.
    """
    levels = _cost_levels(cmdp)
    budget = _budget(limit)
    joint = {level: np.where(cmdp.costs == level, cmdp.transitions, 0.0) for level in levels}
    shape = (*cmdp.balls.shape[:-2], budget + 1, cmdp.n_states)
    # left[..., b, s]: chance to exceed when b more may be spent; 1 once b is below zero.
    left = np.zeros(shape)
    spread = cmdp._replace(balls=cmdp.balls[..., None, :, :])
    choices = []
    for _ in range(_checked(horizon)):
        q = np.zeros((*shape, cmdp.n_actions))
        for level, p in joint.items():
            q += np.einsum("...sat,...bt->...bsa", p, _after(left, level))
        offered = offers(spread, policy[..., None, :, :], q)
        left = offered.max(-1)
        choices.append(offered.argmax(-1))
    by_state = np.minimum(left[..., budget, :], 1.0)
    value = np.minimum((cmdp.start * by_state).sum(-1), 1.0)
    return Plan(value, by_state, np.stack(choices[::-1]))


def _after(left: Floats, level: int) -> Floats:
    """`left` once `level` more was spent, [..., B, S]."""
    if level == 0:
        return left
    keep = max(left.shape[-2] - level, 0)
    over = np.ones((*left.shape[:-2], left.shape[-2] - keep, left.shape[-1]))
    return np.concatenate([over, left[..., :keep, :]], axis=-2)


def _cost_levels(cmdp: CMDP) -> list[int]:
    paid = np.unique(cmdp.costs[cmdp.transitions > 0])
    if (paid != np.round(paid)).any():
        raise ValueError(
            f"costs must be whole numbers for the chance to exceed a limit; got {paid[:5]}"
        )
    return [int(level) for level in paid]


def _budget(limit: float) -> int:
    require(NOT_NEGATIVE, limit=limit)
    return math.floor(limit)


def _checked(horizon: int) -> int:
    require(AT_LEAST_ONE, horizon=horizon)
    return horizon
