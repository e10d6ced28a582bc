"""Random finite problems that make every bound work: rare costs, small and large deviations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from safer_gym.tabular.cmdp import CMDP, Floats, line_balls

GAMMAS = (0.0, 0.3, 0.7, 0.9, 0.99)
SHAPES = tuple(product(range(2, 7), range(2, 5)))
"""(S, A) from 2 to 6 states and 2 to 4 actions."""
LEVELS = 3
"""Costs are whole numbers from 0 to this."""


class Case(NamedTuple):
    """A batch of problems of one shape, each with a policy and the one it was improved from."""

    cmdp: CMDP
    policy: Floats
    """pi, [N, S, A]."""
    previous: Floats
    """pi_i where pi is pi_{i+1}, [N, S, A]; they differ a little or a lot."""


def random_case(shape: tuple[int, int], n: int, rng: np.random.Generator) -> Case:
    """n problems of shape (S, A), with states on a line and balls of one or two steps.

    Each has its own discount factor (of `GAMMAS`), sparseness, rarity of costs, and two policies
    that are mixed towards a constant one, so that distances between their rows span 1e-3 to 1.
    """
    n_states, n_actions = shape
    cmdp = _random_cmdp(n_states, n_actions, n, rng)
    constant = _dirichlet(rng, 1.0, (n, 1, n_actions))
    own = _dirichlet(rng, _log_uniform(rng, 0.05, 2, (n, 1, 1)), (n, n_states, n_actions))
    other = _dirichlet(rng, 1.0, (n, n_states, n_actions))
    policy = _mix(constant, own, _log_uniform(rng, 1e-3, 1, (n, 1, 1)))
    return Case(cmdp, policy, _mix(policy, other, _log_uniform(rng, 1e-3, 1, (n, 1, 1))))


def random_cases(n: int, seed: int) -> Iterator[Case]:
    """Batches over all shapes, `n` problems together."""
    rng = np.random.default_rng(seed)
    share, more = divmod(n, len(SHAPES))
    for place, shape in enumerate(SHAPES):
        size = share + (place < more)
        if size:
            yield random_case(shape, size, rng)


def picked(case: Case, which: Any) -> Case:
    """Some problems of a batch, or one of them, by any index of its first axis."""
    fields: Any = (array[which] for array in case.cmdp)
    return Case(CMDP(*fields), case.policy[which], case.previous[which])


def _random_cmdp(n_states: int, n_actions: int, n: int, rng: np.random.Generator) -> CMDP:
    full = (n, n_states, n_actions, n_states)
    p = _dirichlet(rng, _log_uniform(rng, 0.05, 5, (n, 1, 1, 1)), full)
    # Arrivals that cost: any set of states, made rare in half of the problems.
    unsafe = rng.random((n, 1, 1, n_states)) < rng.uniform(0.1, 0.6, (n, 1, 1, 1))
    rare = np.where(rng.random((n, 1, 1, 1)) < 0.5, _log_uniform(rng, 1e-3, 1, (n, 1, 1, 1)), 1.0)
    p = np.where(unsafe, p * rare, p) + 1e-12
    p /= p.sum(-1, keepdims=True)
    costs = np.where(unsafe, rng.integers(0, LEVELS + 1, full), 0).astype(np.float64)
    # In half of the problems the reward tempts towards what costs.
    tempting = rng.random((n, 1, 1, 1)) < 0.5
    rewards = rng.uniform(-1, 1, full) + np.where(tempting, costs, 0.0)
    small, large = line_balls(n_states, 1), line_balls(n_states, 2)
    balls = np.where(rng.random((n, 1, 1)) < 0.5, small, large)
    gamma = rng.choice(GAMMAS, n)
    return CMDP(p, costs, rewards, gamma, _dirichlet(rng, 0.5, (n, n_states)), balls)


def _mix(base: Floats, other: Floats, share: Floats) -> Floats:
    mixed = (1 - share) * base + share * other
    return mixed / mixed.sum(-1, keepdims=True)


def _dirichlet(
    rng: np.random.Generator, concentration: float | Floats, shape: tuple[int, ...]
) -> Floats:
    draws = rng.standard_gamma(np.broadcast_to(concentration, shape)) + 1e-300
    return draws / draws.sum(-1, keepdims=True)


def _log_uniform(
    rng: np.random.Generator, low: float, high: float, shape: tuple[int, ...]
) -> Floats:
    return np.exp(rng.uniform(np.log(low), np.log(high), shape))
