"""From a benign probability and the size of the attack to a probability under every adversary.

All are statements about one event E of a whole episode, p = P(E) without an adversary. An adversary
that chooses each observation by all of the past changes each action's distribution; what it can do
to P(E) composes over the steps. Budgets must hold surely: let E hold an overrun, E' = E or
{sum of squared shifts > M^2}, and bound P(E') (section 6.2 of the derivations).

Probabilities are float64, numbers or arrays; everything broadcasts. `is_vacuous` says when a bound
says nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]
_UP = 1 + 1e-12
"""Results move up by this factor, over the errors of the special functions."""


def gaussian_filter(p: Any, M: Any) -> Any:
    """Phi(Phi^-1(p) + M): equal covariances, M^2 the sum of squared mean shifts.

    The largest probability that an event of probability p can get by moving the mean of a unit
    Gaussian by M; attained.

    Raises:
        ValueError: p outside [0, 1], M negative or NaN.
    """
    p, M = _probability(p), _nonnegative("M", M)
    with np.errstate(invalid="ignore"):
        moved = ndtr(ndtri(p) + M)
    moved = np.where(p == 0, np.where(np.isinf(M), 1.0, 0.0), moved)
    return _number(np.minimum(np.maximum(moved, p) * _UP, 1.0))


def renyi_filter(p: Any, rho: Any, alphas: Any) -> Any:
    """The least bound over orders alpha of (exp(rho_alpha) p)^((alpha - 1) / alpha).

    Args:
        p: benign probability, any shape.
        rho: sums over the episode of the attacked policy's Renyi divergence from the benign one,
            nats; last axis as `alphas`.
        alphas: orders > 1.

    Raises:
        ValueError: p outside [0, 1], rho negative or NaN, orders <= 1.
    """
    p, rho, alphas = _probability(p), _nonnegative("rho", rho), _orders(alphas)
    with np.errstate(divide="ignore"):
        log_p = np.log(np.asarray(p, dtype=float))[..., None]
    exponent = (alphas - 1) / alphas
    bounds = np.where(np.isinf(rho), np.inf, exponent * (rho + log_p))
    bound = np.exp(np.minimum(bounds.min(axis=-1), 0.0))
    return _number(np.minimum(np.maximum(bound, p) * _UP, 1.0))


def is_vacuous(bound: Any, cap: float = 1.0) -> Any:
    """Whether a bound says no more than the trivial one, `cap`."""
    return _number(np.asarray(bound, dtype=float) >= cap)


def _probability(p: Any) -> Floats:
    p = np.asarray(p, dtype=float)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p must be in [0, 1]; got {p}")
    return p


def _nonnegative(name: str, value: Any) -> Floats:
    value = np.asarray(value, dtype=float)
    if not (value >= 0).all():
        raise ValueError(f"{name} must be >= 0; got {value}")
    return value


def _orders(alphas: Any) -> Floats:
    alphas = np.atleast_1d(np.asarray(alphas, dtype=float))
    if not (alphas > 1).all() or not np.isfinite(alphas).all():
        raise ValueError(f"alphas must be finite and > 1; got {alphas}")
    return alphas


def _number(value: Any) -> Any:
    return value.item() if np.ndim(value) == 0 else value
