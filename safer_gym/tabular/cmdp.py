"""Finite constrained decision problems in which an adversary chooses what the policy observes.

Axes: S states, A actions, O observed states (O = S: the adversary shows one state as another).
Every array may carry leading batch axes, so that thousands of problems are solved at once.
Policies are arrays [..., O, A] of probabilities; deterministic adversaries are int arrays
[..., S], the state that is shown in each state.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safer_gym.domains import AT_LEAST_ONE, NOT_NEGATIVE, require

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_ROUNDING = 1e-9


class CMDP(NamedTuple):
    """A finite problem with costs, rewards and the perturbation sets of an adversary.

    Build it with `make_cmdp`, which checks all of this.
    """

    transitions: Floats
    """P(s' | s, a), [..., S, A, S]."""
    costs: Floats
    """c(s, a, s') >= 0, [..., S, A, S]."""
    rewards: Floats
    """r(s, a, s'), [..., S, A, S]."""
    gamma: Floats
    """Discount factor in [0, 1), [...]."""
    start: Floats
    """Distribution of the first state, [..., S]."""
    balls: Bools
    """balls[..., s, o]: the adversary may show o in state s; the truth is always allowed."""

    @property
    def n_states(self) -> int:
        """S."""
        return self.transitions.shape[-1]

    @property
    def n_actions(self) -> int:
        """A."""
        return self.transitions.shape[-2]


def make_cmdp(
    transitions: ArrayLike,
    costs: ArrayLike,
    *,
    gamma: ArrayLike,
    rewards: ArrayLike = 0.0,
    start: ArrayLike | None = None,
    balls: ArrayLike | None = None,
) -> CMDP:
    """A checked problem.

    Args:
        transitions: P(s' | s, a), [..., S, A, S]; rows sum to one.
        costs, rewards: broadcast to [..., S, A, S]; a vector [S] is paid on arrival.
        gamma: in [0, 1), broadcasts to [...].
        start: [..., S]; default: uniform.
        balls: bool [..., S, S]; default: the truth alone.

    Raises:
        ValueError: for shapes that do not fit, rows that are no distribution, negative costs.
    """
    p = _array("transitions", transitions)
    if p.ndim < 3 or p.shape[-1] != p.shape[-3]:
        raise ValueError(f"transitions must have shape [..., S, A, S]; got {p.shape}")
    batch, n = p.shape[:-3], p.shape[-1]
    uniform = np.full(n, 1 / n)
    truth = np.eye(n, dtype=bool)
    cmdp = CMDP(
        p,
        _array("costs", costs, p.shape),
        _array("rewards", rewards, p.shape),
        _array("gamma", gamma, batch),
        _array("start", uniform if start is None else start, (*batch, n)),
        np.broadcast_to(np.asarray(truth if balls is None else balls, bool), (*batch, n, n)),
    )
    _check(cmdp)
    return cmdp


def unattacked(cmdp: CMDP) -> CMDP:
    """The same problem with an adversary that may only show the truth."""
    return cmdp._replace(balls=np.broadcast_to(np.eye(cmdp.n_states, dtype=bool), cmdp.balls.shape))


def line_balls(n_states: int, eps: float) -> Bools:
    """Perturbation sets [S, S] of states on a line: o in B(s) when |o - s| <= eps."""
    require(AT_LEAST_ONE, n_states=n_states)
    require(NOT_NEGATIVE, eps=eps)
    place = np.arange(n_states)
    return np.abs(place[:, None] - place) <= eps


def _check(cmdp: CMDP) -> None:
    _distributions("transitions", cmdp.transitions)
    _distributions("start", cmdp.start)
    if (cmdp.costs < 0).any():
        raise ValueError(f"costs must be >= 0; the least is {cmdp.costs.min()}")
    if (cmdp.gamma < 0).any() or (cmdp.gamma >= 1).any():
        raise ValueError(f"gamma must lie in [0, 1); got {cmdp.gamma}")
    if not np.diagonal(cmdp.balls, axis1=-2, axis2=-1).all():
        raise ValueError("balls must hold each state itself: balls[..., s, s] is True")


def _distributions(name: str, rows: Floats) -> None:
    if (rows < 0).any() or np.abs(rows.sum(-1) - 1).max(initial=0) > _ROUNDING:
        raise ValueError(f"{name} must be >= 0 and sum to 1 along the last axis")


def _array(name: str, value: Any, shape: tuple[int, ...] | None = None) -> Floats:
    array = np.asarray(value, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    if shape is None:
        return array
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name} must broadcast to {shape}; got shape {array.shape}") from None
