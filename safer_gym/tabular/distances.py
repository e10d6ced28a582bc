"""Distances between finite distributions."""

from __future__ import annotations

import numpy as np

from safer_gym.domains import ABOVE_ONE, require
from safer_gym.tabular.cmdp import Floats


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
