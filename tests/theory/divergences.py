"""Inequalities between distances of distributions, on the rows of random policies."""

from __future__ import annotations

import numpy as np

from safer_gym.tabular.distances import kl, total_variation
from theory.comparison import Comparison
from theory.facts import Facts


def pinsker(facts: Facts) -> Comparison:
    """TV <= sqrt(KL / 2), KL in nats."""
    tv, divergence = _rows(facts)
    return Comparison(tv, np.sqrt(divergence / 2))


def bretagnolle_huber(facts: Facts) -> Comparison:
    """TV <= sqrt(1 - exp(-KL)), which stays below one."""
    tv, divergence = _rows(facts)
    return Comparison(tv, np.sqrt(-np.expm1(-divergence)))


def _rows(facts: Facts) -> tuple[np.ndarray, np.ndarray]:
    p, q = facts.case.previous, facts.case.policy
    return total_variation(p, q), kl(p, q)
