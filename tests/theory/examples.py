"""Small problems with answers in closed form: some attain a bound, others refute a false one."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from safer_gym.tabular.cmdp import CMDP, Floats, line_balls, make_cmdp
from safer_gym.tabular.random_cmdps import Case


def attaining_case(delta: float, gamma: float) -> Case:
    """Attains V = kappa + delta U / (1 - gamma (1 - delta)) with kappa = 0, U = 1 / (1 - gamma).

    State 0 stays under action 0; action 1 leads to state 1, which pays one at each step for
    ever. The policy takes action 0 in state 0, and action 1 with chance delta where it believes
    to be in state 1, as which state 0 may be shown.
    """
    transitions = np.zeros((2, 2, 2))
    transitions[0, 0, 0] = transitions[0, 1, 1] = transitions[1, :, 1] = 1.0
    cmdp = make_cmdp(
        transitions[None],
        np.array([0.0, 1.0]),
        gamma=gamma,
        start=np.array([1.0, 0.0]),
        balls=line_balls(2, 1),
    )
    policy = np.array([[[1.0, 0.0], [1 - delta, delta]]])
    return Case(cmdp, policy, policy)


def improvement_case(tau: float, gamma: float) -> Case:
    """Attains Lemma 1 as tau goes to 0, and the inequality of Bretagnolle and Huber.

    State 0 costs one a step until action 1 leads to state 1, which is free under action 0. The
    new policy leaves with chance tau, an advantage of -tau / (1 - gamma), and pays the same as a
    cost in state 1, where the old one never is.
    """
    transitions = np.zeros((2, 2, 2))
    transitions[0, 0, 0] = transitions[0, 1, 1] = transitions[1, :, 1] = 1.0
    costs = np.zeros((2, 2, 2))
    costs[0, 0, 0], costs[1, 1, 1] = 1.0, tau / (1 - gamma)
    cmdp = make_cmdp(transitions[None], costs, gamma=gamma, start=np.array([1.0, 0.0]))
    old = np.array([[[1.0, 0.0], [1.0, 0.0]]])
    return Case(cmdp, np.array([[[1 - tau, tau], [0.0, 1.0]]]), old)


def late_arrival_case() -> Case:
    """Leaves state 0 at once for a safe absorbing state, and pays if it does so by action 1.

    With p_s made of *states* that cost instead of arrivals that cost, Lemma 2 would give zero.
    """
    transitions = np.zeros((2, 2, 2))
    transitions[..., 1] = 1.0
    costs = np.zeros((2, 2, 2))
    costs[0, 1, :] = 1.0
    cmdp = make_cmdp(
        transitions[None],
        costs,
        gamma=0.0,
        start=np.array([1.0, 0.0]),
        balls=line_balls(2, 1),
    )
    policy = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    return Case(cmdp, policy, policy)


def cheap_action_case(shown: float = 0.75) -> Case:
    """Refutes (1 - delta) kappa + delta U / (1 - gamma (1 - delta)).

    The adversary takes away the cheap actions: with gamma = 0 the bound is kappa + delta U, and
    it is attained at kappa > 0. The chance of the action that costs rises from 1/2 to `shown`,
    the most that the two-point Renyi divergence allows; with 1 Hoelder's inequality is attained.
    """
    transitions = np.zeros((2, 2, 2))
    transitions[:, 0, 0] = transitions[:, 1, 1] = 1.0
    cmdp = make_cmdp(
        transitions[None],
        np.array([0.0, 1.0]),
        gamma=0.0,
        start=np.array([1.0, 0.0]),
        balls=line_balls(2, 1),
    )
    policy = np.array([[[0.5, 0.5], [1 - shown, shown]]])
    return Case(cmdp, policy, policy)


def crossroads_case() -> Case:
    """Refutes E[min(1, sum of delta(s_t))] in place of its sum without the minimum.

    State 0 leads to 1 under action 0 and to 2 under action 1, each with chance 1/2. The adversary
    may make action 0 sure (delta 1/2), and in state 1 action 1 sure, which costs one (delta 1): it
    always reaches the cost. Benign episodes never do; half of them have a sum of 1.5, half of 0.5.
    States 3 and 4 exist only as lies.
    """
    n = 5
    transitions = np.zeros((n, 2, n))
    transitions[0, 0, 1] = transitions[0, 1, 2] = 1.0
    transitions[1:, :, 2] = 1.0
    costs = np.zeros((n, 2, n))
    costs[1, 1, :] = 1.0
    balls = np.eye(n, dtype=bool)
    balls[0, 3] = balls[1, 4] = True
    cmdp = make_cmdp(transitions[None], costs, gamma=0.0, start=np.eye(n)[0], balls=balls)
    policy = np.array([[[0.5, 0.5], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    return Case(cmdp, policy, policy)


def gaussian_walk(shift: float, horizon: int, width: float = 0.25) -> tuple[CMDP, Floats]:
    """A walk s' = s + a with a ~ N(mu, 1) cut into cells: the tight case of the Gaussian filter.

    The policy's mean is 0, and `shift` where it is lied to; a lie is possible everywhere. The
    best adversary of P(s_H >= c) always lies, which moves the sum by sqrt(H) `shift` deviations:
    exactly M. Cells of `width` deviations cost a little: 1 / sqrt(1 + width^2 / 12) of it.

    States come in two rows of places: true ones, and copies that exist only as lies. Place i of
    the 2 R + 1 stands for the sum (i - R) `width`, R = 6 sqrt(H) / width.
    """
    reach = math.ceil(6 * math.sqrt(horizon) / width)
    steps = np.arange(-math.ceil(6 / width), math.ceil(6 / width) + 1)
    edges = (np.append(steps, steps[-1] + 1) - 0.5) * width
    places = np.arange(2 * reach + 1)
    arrival = np.clip(places[:, None] + steps, 0, 2 * reach)
    moved = np.eye(2 * len(places))[arrival]
    lie = np.eye(len(places), dtype=bool)
    cmdp = make_cmdp(
        np.concatenate([moved, moved]),
        0.0,
        gamma=0.0,
        start=np.eye(2 * len(places))[reach],
        balls=np.block([[lie, lie], [~lie & lie, lie]]),
    )
    means = np.repeat([0.0, shift], len(places))
    return cmdp, gaussian_cells(means, 1.0, edges)


def walk_places(cmdp: CMDP, width: float = 0.25) -> Floats:
    """The sum that each state of `gaussian_walk` stands for, [S]."""
    count = cmdp.n_states // 2
    return np.tile((np.arange(count) - count // 2) * width, 2)


def gaussian_loop(
    shift: float,
    *,
    n_states: int = 121,
    n_actions: int = 61,
    sigma: float = 0.3,
    pull: float = 0.25,
) -> tuple[CMDP, Floats, float]:
    """A point on [-2, 2] that a noisy policy holds near zero; beyond 1.5 each step costs one.

    The action a ~ N(-pull o, sigma^2), cut into cells, moves the state s' = s + a, rounded to
    the grid. Cells and rounding are part of the world, so that bounds for Gaussian policies hold
    exactly. The adversary shows any state within a distance such that the mean moves by at most
    `shift` deviations.

    Returns:
        The problem (undiscounted use: gamma is 0), the policy [S, A], and the largest mean shift
        in deviations, at most `shift`.
    """
    grid = np.linspace(-2, 2, n_states, dtype=np.float64)
    spacing = grid[1] - grid[0]
    radius = math.floor(shift * sigma / pull / spacing + 1e-9)
    half = pull * 2 + 4 * sigma
    edges = np.linspace(-half, half, n_actions + 1, dtype=np.float64)
    centers = (edges[:-1] + edges[1:]) / 2
    policy = gaussian_cells(-pull * grid, sigma, edges)
    arrival = np.clip(np.rint((grid[:, None] + centers + 2) / spacing), 0, n_states - 1)
    transitions = np.eye(n_states)[arrival.astype(int)]
    cmdp = make_cmdp(
        transitions,
        (np.abs(grid) > 1.5).astype(float),
        gamma=0.0,
        start=np.eye(n_states)[n_states // 2],
        balls=line_balls(n_states, radius),
    )
    return cmdp, policy, radius * spacing * pull / sigma


def gaussian_cells(mean: Floats, sigma: float, edges: Floats) -> Floats:
    """Chances [..., K] of K cells under N(mean, sigma^2); the outer two reach to infinity."""
    inner = ndtr((edges[1:-1] - mean[..., None]) / sigma)
    ends = np.zeros((*mean.shape, 1))
    return np.diff(np.concatenate([ends, inner, ends + 1], -1), axis=-1)
