"""From a benign probability and the size of the attack to a probability under every adversary.

All are statements about one event E of a whole episode, p = P(E) without an adversary. An adversary
that chooses each observation by all of the past changes each action's distribution; what it can do
to P(E) composes over the steps, adaptively (section 6.2 of the derivations; Kumar et al. 2022 for
the Gaussian case). Budgets must hold surely. So let E hold an overrun, E' = E or {the sum of the
steps' sizes exceeds the budget}, and bound P(E'): on the rest nothing changes if the adversary is
stopped when the budget would be exceeded.

Probabilities are float64, numbers or arrays; everything broadcasts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from safer_gym.domains import ABOVE_ONE, CAP, SHARE, require_array

Floats = NDArray[np.float64]
ORDERS = (
    *(1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0),
    *(10.0, 13.0, 16.0, 20.0, 25.0, 32.0, 40.0, 50.0, 64.0),
)
"""Renyi orders worth trying: for a shift M the best one is near 1 + sqrt(2 ln(1 / p)) / M."""

_UP = 1 + 1e-12
"""Results move up by this factor, over the errors of the special functions."""
_BISECTIONS = 60


def gaussian_filter(p: Any, M: Any) -> Any:
    """Phi(Phi^-1(p) + M): equal covariances, M^2 the sum of squared mean shifts.

    The largest probability that an event of probability p can get by moving the mean of a unit
    Gaussian by M; attained.

    Raises:
        ValueError: p outside [0, 1], M negative or NaN.
    """
    p, M = np.broadcast_arrays(probability("p", p), nonnegative("M", M))
    with np.errstate(invalid="ignore"):
        moved = ndtr(ndtri(p) + M)
    moved = np.where(p == 0, np.where(np.isinf(M), 1.0, 0.0), moved)
    return plain(np.minimum(np.maximum(moved, p) * _UP, 1.0))


def renyi_filter(p: Any, rho: Any, alphas: Any = ORDERS) -> Any:
    """The least q, over the orders, that a Renyi divergence of rho_alpha allows from p.

    For each order the largest q >= p with D_alpha(Bernoulli(q) || Bernoulli(p)) <= rho_alpha,
    which is all that data processing says. Never above (exp(rho_alpha) p)^((alpha - 1) / alpha),
    what Hoelder's inequality says.

    Args:
        p: benign probability, any shape.
        rho: budgets of the attacked policy's divergence from the benign one, nats; the last axis
            as `alphas`. All of them must hold surely. Infinite: this order says nothing.
        alphas: orders > 1.

    Raises:
        ValueError: p outside [0, 1], rho negative or NaN, orders <= 1.
    """
    p, rho, alphas = np.broadcast_arrays(
        probability("p", p)[..., None], nonnegative("rho", rho), _orders(alphas)
    )
    finite = np.isfinite(rho)
    with np.errstate(divide="ignore", invalid="ignore"):
        hoelder = np.exp(np.minimum((alphas - 1) / alphas * (rho + np.log(p)), 0.0))
    bounds = np.where(finite & (p == 0), 0.0, 1.0)
    rows = finite & (p > 0) & (p < 1)
    bounds[rows] = _two_point(p[rows], np.maximum(hoelder[rows], p[rows]), rho[rows], alphas[rows])
    return plain(np.minimum(bounds.min(axis=-1) * _UP, 1.0))


def moment_mean(moments: Any, rho: Any, alphas: Any = ORDERS) -> Any:
    """The least over orders of exp((a - 1) rho_a / a) m_a^((a - 1) / a), m_a = E[C^(a / (a - 1))].

    Hoelder's inequality for a mean cost, for those who can bound moments.

    Args:
        moments: benign moments of the order a / (a - 1), one for each of `alphas`, last axis.

    Raises:
        ValueError: negative moments or rho, orders <= 1.
    """
    moments, rho, alphas = nonnegative("moments", moments), nonnegative("rho", rho), _orders(alphas)
    with np.errstate(over="ignore", invalid="ignore"):
        bounds = np.where(moments > 0, np.exp(np.minimum((alphas - 1) / alphas * rho, 700.0)), 1.0)
        bounds = np.where(np.isinf(rho), np.inf, bounds * moments ** ((alphas - 1) / alphas))
    return plain(bounds.min(axis=-1) * _UP)


def _two_point(p: Floats, above: Floats, rho: Floats, alphas: Floats) -> Floats:
    """For 0 < p < 1 the q in [p, above] where the two-point divergence reaches rho, from above."""
    below, log_p, log_rest = p.copy(), np.log(p), np.log1p(-p)
    slack = 1e-15 * (1 - alphas * (log_p + log_rest)) / (alphas - 1)
    for _ in range(_BISECTIONS):
        q = np.sqrt(below * above)
        with np.errstate(divide="ignore"):
            hit = alphas * np.log(q) + (1 - alphas) * log_p
            miss = alphas * np.log1p(-q) + (1 - alphas) * log_rest
        inside = np.logaddexp(hit, miss) / (alphas - 1) <= rho + slack
        below, above = np.where(inside, q, below), np.where(inside, above, q)
    return above


def probability(name: str, p: Any) -> Floats:
    """As float64.

    Raises:
        ValueError: a number outside [0, 1] or NaN.
    """
    require_array(SHARE, **{name: p})
    return np.asarray(p, dtype=float)


def nonnegative(name: str, value: Any) -> Floats:
    """As float64.

    Raises:
        ValueError: a negative number or NaN.
    """
    require_array(CAP, **{name: value})
    return np.asarray(value, dtype=float)


def _orders(alphas: Any) -> Floats:
    require_array(ABOVE_ONE, alphas=alphas)
    return np.atleast_1d(np.asarray(alphas, dtype=float))


def plain(value: Any) -> Any:
    """A float or bool for an array without axes."""
    return value.item() if np.ndim(value) == 0 else value
