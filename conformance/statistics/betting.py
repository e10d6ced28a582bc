"""Lower confidence sequences for the mean of z in [0, 1], by betting.

Against the claim "the mean is at most m" a gambler stakes the share c of his wealth on z > m, at
odds that the claim makes fair or worse: one episode multiplies his wealth by 1 - c + c z / m.
He splits his first coin over many c, the arcsine prior of the universal portfolio (Cover and
Ordentlich 1996; Orabona and Jun 2021; Waudby-Smith and Ramdas 2024). If the claim holds, his
wealth ever exceeds 1 / delta with probability at most delta (Ville), however and whenever one
stops. The bound is the largest m whose claim has been refuted.

Write m = exp(-s). Log wealth is increasing and convex in s, so Newton's method started above the
root stays above it: every iterate is a sound bound.

Axes: J shares, P pairs of counts, n episodes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from safer_gym.conformance.statistics.bounds import Floats

SHARES = 128
_ROUND_OUT = 1e-12
_NEWTON_STEPS = 100


def shares(count: int = SHARES) -> Floats:
    """The arcsine law on (0, 1) as `count` points of equal weight [J]."""
    return np.sin(np.pi * (np.arange(count) + 0.5) / (2 * count)) ** 2


def log_wealth(z: Floats, mean: float, c: Floats | None = None) -> Floats:
    """Log wealth of the bet against "the mean of z is at most `mean`", after each z.

    Args:
        z: Values in [0, 1], any leading axes [..., n].
        mean: In (0, 1].
        c: Shares [J]; None takes the prior's.

    Returns:
        [..., n]. The claim is refuted at level delta where this reaches log(1 / delta).
    """
    c = shares() if c is None else c
    wealth = np.cumsum(np.log1p(c * (z[..., None] / mean - 1.0)), axis=-2)
    return logsumexp(wealth, axis=-1) - np.log(len(c))


def lower_of_counts(k: NDArray[np.int64], n: NDArray[np.int64], delta: float) -> Floats:
    """Bound of the probability of a hit after k hits in n episodes [P]."""
    bound = np.zeros(k.shape)
    seen = np.flatnonzero(k > 0)
    if seen.size:
        s = _solve_counts(k[seen].astype(float), n[seen].astype(float), -np.log(delta))
        bound[seen] = np.exp(-s) * (1.0 - _ROUND_OUT)
    return bound


def _solve_counts(k: Floats, n: Floats, target: float) -> Floats:
    """The s [P] at which log wealth is `target`, from above."""
    c = shares()
    s = _start(k, n, target, c)
    misses = (n - k)[:, None] * np.log1p(-c)
    for _ in range(_NEWTON_STEPS):
        gain = np.log1p(c * np.expm1(s)[:, None])
        terms = k[:, None] * gain + misses
        value = logsumexp(terms, axis=1)
        # d gain / ds = c e^s / (1 - c + c e^s)
        slopes = k[:, None] * np.exp(np.log(c) + s[:, None] - gain)
        slope = (np.exp(terms - value[:, None]) * slopes).sum(axis=1)
        step = (value - np.log(len(c)) - target) / slope
        s = s - np.maximum(step, 0.0)
        if (step < 1e-13 * s).all():
            break
    return s


def _start(k: Floats, n: Floats, target: float, c: Floats) -> Floats:
    """An s [P] above the root: the s at which one share alone, its c near k / n, would do."""
    nearest = c[np.abs(c - (k / n)[:, None]).argmin(axis=1)]
    needed = target + np.log(len(c)) - (n - k) * np.log1p(-nearest)
    return np.log1p(np.expm1(np.minimum(needed / k, 600.0)) / nearest)


def lower_of_values(z: Floats, delta: float) -> Floats:
    """Running bound of the mean after each of the values z in [0, 1] [n].

    The bound moves only when the wealth at the present bound passes 1 / delta.
    """
    c, target = shares(), -np.log(delta)
    bound = np.zeros(len(z))
    s, wealth = np.inf, np.zeros(len(c))
    for i, value in enumerate(z):
        if np.isinf(s):
            s = _first(z[: i + 1], target, c)
            wealth = _terms(z[: i + 1], s, c).sum(axis=0) if np.isfinite(s) else wealth
        else:
            wealth = wealth + _terms(value, s, c)
        while np.isfinite(s) and logsumexp(wealth) - np.log(len(c)) > target:
            moved = s - _step(z[: i + 1], s, wealth, target, c)
            if moved >= s * (1.0 - 1e-12):
                break
            s, wealth = moved, _terms(z[: i + 1], moved, c).sum(axis=0)
        bound[i] = np.exp(-s) * (1.0 - _ROUND_OUT)
    return bound


def _terms(z: Floats | float, s: float, c: Floats) -> Floats:
    """Log of what each value does to each share's wealth [n, J], or [J] for one value."""
    return np.log1p(c * (np.asarray(z)[..., None] * np.exp(s) - 1.0))


def _step(z: Floats, s: float, wealth: Floats, target: float, c: Floats) -> float:
    """Newton's step downwards from s."""
    value = logsumexp(wealth)
    stakes = c * z[:, None] * np.exp(s)
    slopes = (stakes / (1.0 - c + stakes)).sum(axis=0)
    slope = float(np.exp(wealth - value) @ slopes)
    return (float(value) - float(np.log(len(c))) - target) / slope


def _first(z: Floats, target: float, c: Floats) -> float:
    """An s above the root: some share's wealth from the positive values alone would do."""
    positive = z > 0.0
    if not positive.any():
        return np.inf
    hits, misses = positive.sum(), (~positive).sum()
    needed = target + np.log(len(c)) - misses * np.log1p(-c) - hits * np.log(c)
    return float((needed.min() - np.log(z[positive]).sum()) / hits)
