"""The bounds of discounted cost under every adversary, (A), (B) and the theorems, against truth.

The formula of each statement is an argument, so that a wrong one can be tried. `previous` is
pi_i, the policy is pi_{i+1}; kappa is the exact benign cost of the one that the bound starts from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from safer_gym.bounds import (
    coupling_bound,
    direct_bound,
    literal_theorem_1,
    literal_theorem_2,
    paper_theorem_1,
    paper_theorem_2,
)
from safer_gym.tabular.cmdp import Floats
from safer_gym.tabular.distances import total_variation
from theory.comparison import Comparison
from theory.facts import Facts, lipschitz

Bound = Callable[..., Any]


def direct(facts: Facts, bound: Bound = direct_bound) -> Comparison:
    """(A): V' <= kappa + delta p_bar C_m / (1 - g)^2."""
    kappa = facts.from_start(facts.benign.v)
    return _attacked(facts, bound(kappa, facts.tv.max(-1), **_constants(facts)), kappa)


def coupling(facts: Facts, bound: Bound = coupling_bound) -> Comparison:
    """(B): V' <= kappa + delta U / (1 - g (1 - delta)), U = p_bar C_m / (1 - g)."""
    kappa = facts.from_start(facts.benign.v)
    return _attacked(facts, bound(kappa, facts.tv.max(-1), **_constants(facts)), kappa)


def coupling_everywhere(facts: Facts, bound: Bound = coupling_bound) -> Comparison:
    """(B) from every state, kappa being the benign value there."""
    kappa = facts.benign.v
    constants = {name: value[:, None] for name, value in _constants(facts).items()}
    found = bound(kappa, facts.tv.max(-1)[:, None], **constants)
    return Comparison(facts.optimal.values.v, found, kappa)


def state_adversarial(facts: Facts) -> Comparison:
    """The SA-MDP bound with the constant that is right: V' - V <= C_m TV / (1 - g)^2."""
    kappa = facts.from_start(facts.benign.v)
    rise = facts.c_max * facts.tv.max(-1) / (1 - facts.gamma) ** 2
    return _attacked(facts, kappa + rise, kappa)


def corrected_1(facts: Facts) -> Comparison:
    """Theorem 1, corrected: (B) with delta = d + L eps, from the policy before the step."""
    kappa, (step, slope, eps) = facts.from_start(facts.previous.v), _step_and_slope(facts)
    found = coupling_bound(kappa, np.minimum(step + slope * eps, 1.0), **_constants(facts))
    return _attacked(facts, found, kappa)


def corrected_2(facts: Facts, bound: Bound = coupling_bound) -> Comparison:
    """Theorem 2, corrected: (B) with delta = d_R over all adversaries."""
    kappa = facts.from_start(facts.previous.v)
    return _attacked(facts, bound(kappa, _robust_step(facts), **_constants(facts)), kappa)


def printed_1(facts: Facts, bound: Bound = paper_theorem_1) -> Comparison:
    """Theorem 1 as printed, with xi = 0, which is not true of the step: still no violation."""
    kappa = facts.from_start(facts.previous.v)
    found = bound(kappa, *_step_and_slope(facts), 0.0, **_constants(facts))
    return _attacked(facts, found, kappa)


def printed_2(facts: Facts, bound: Bound = paper_theorem_2) -> Comparison:
    """Theorem 2 as printed, with xi = 0, which is not true of the step: still no violation."""
    kappa = facts.from_start(facts.previous.v)
    return _attacked(facts, bound(kappa, _robust_step(facts), 0.0, **_constants(facts)), kappa)


def literal_1(facts: Facts) -> Comparison:
    """Theorem 1 as its own lemmas give it, with xi = 0."""
    return printed_1(facts, literal_theorem_1)


def literal_2(facts: Facts) -> Comparison:
    """Theorem 2 as its own lemmas give it, with xi = 0."""
    return printed_2(facts, literal_theorem_2)


def _attacked(facts: Facts, bound: Floats, kappa: Floats) -> Comparison:
    return Comparison(facts.from_start(facts.optimal.values.v), bound, kappa)


def _constants(facts: Facts) -> dict[str, Floats]:
    return {
        "gamma": facts.gamma,
        "cost_max": facts.c_max,
        "unsafe_probability": np.minimum(facts.hazard.max(-1), 1.0),  # sums round above it
    }


def _step_and_slope(facts: Facts) -> tuple[Floats, Floats, Floats]:
    """d, L and eps of Theorem 1, each [N]."""
    balls = facts.case.cmdp.balls
    place = np.arange(balls.shape[-1])
    eps = np.where(balls, np.abs(place[:, None] - place), 0).max((-2, -1)).astype(np.float64)
    return facts.step.max(-1), lipschitz(facts.case.policy), eps


def _robust_step(facts: Facts) -> Floats:
    """d_R = max_s max_{o in B(s)} TV(pi_{i+1}(. | o), pi_i(. | s)), [N]."""
    policy, previous = facts.case.policy, facts.case.previous
    pairs = total_variation(policy[..., None, :, :], previous[..., :, None, :])
    return np.where(facts.case.cmdp.balls, pairs, 0.0).max((-2, -1))
