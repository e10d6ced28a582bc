"""Exact discounted values of a policy in a finite problem, by linear solves.

Every function takes the signal, `cmdp.costs` or `cmdp.rewards`, [..., S, A, S].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from safer_gym.tabular.cmdp import CMDP, Floats, Ints


class Values(NamedTuple):
    """Expected discounted sums of one signal under one policy."""

    v: Floats
    """By state, [..., S]."""
    q: Floats
    """By state and action, [..., S, A]."""


def expected_signal(cmdp: CMDP, signal: Floats) -> Floats:
    """Mean of a signal at each state and action, [..., S, A]."""
    return (cmdp.transitions * signal).sum(-1)


def state_kernel(cmdp: CMDP, policy: Floats) -> Floats:
    """P(s' | s) under a policy, [..., S, S]."""
    return np.einsum("...sa,...sat->...st", policy, cmdp.transitions)


def policy_values(cmdp: CMDP, policy: Floats, signal: Floats) -> Values:
    """V and Q of a policy [..., S, A] that acts on what `shown` made of it."""
    immediate = expected_signal(cmdp, signal)
    v = np.linalg.solve(_one_minus(cmdp, policy), (policy * immediate).sum(-1)[..., None]).squeeze(
        -1
    )
    q = immediate + cmdp.gamma[..., None, None] * (cmdp.transitions @ v[..., None, :, None])[..., 0]
    return Values(v, q)


def visitation(cmdp: CMDP, policy: Floats) -> Floats:
    """Normalised discounted visitation d_pi [..., S] from the start distribution; sums to one."""
    flow = np.swapaxes(_one_minus(cmdp, policy), -1, -2)
    mass = np.linalg.solve(flow, cmdp.start[..., None]).squeeze(-1)
    return (1 - cmdp.gamma)[..., None] * mass


def shown(policy: Floats, adversary: Ints) -> Floats:
    """pi(. | nu(s)), [..., S, A]: the policy behind a deterministic adversary nu [..., S]."""
    shape = np.broadcast_shapes(policy.shape[:-2], adversary.shape[:-1])
    policy = np.broadcast_to(policy, (*shape, *policy.shape[-2:]))
    adversary = np.broadcast_to(adversary, (*shape, adversary.shape[-1]))
    return np.take_along_axis(policy, adversary[..., None], axis=-2)


def mixed(policy: Floats, adversary: Floats) -> Floats:
    """sum_o nu(o | s) pi(. | o), [..., S, A]: behind a randomised adversary [..., S, O]."""
    return adversary @ policy


def _one_minus(cmdp: CMDP, policy: Floats) -> Floats:
    kernel = state_kernel(cmdp, policy)
    return np.eye(cmdp.n_states) - cmdp.gamma[..., None, None] * kernel
