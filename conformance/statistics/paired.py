"""Differences between two policies that met the same episodes.

Rates: exact, for any number of episodes that was fixed beforehand. Means: the wider of the
bootstrap and Student's t, which are right for many episodes and only nearly so for few. Where
hardly a pair of episodes differs, they know too little, and `Difference.enough` says so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, t

from safer_gym.conformance.statistics.binomial import binomial_lower, binomial_upper
from safer_gym.conformance.statistics.bounds import check_delta, check_hits
from safer_gym.domains import AT_LEAST_ONE, AT_LEAST_TWO, require

ENOUGH_PAIRS = 10
"""Pairs that must differ before an interval of a mean decides anything."""


class Difference(NamedTuple):
    """B - A of a mean or of a rate, with an interval of confidence 1 - delta."""

    a: float
    b: float
    difference: float
    lower: float
    """Below the difference with probability at least 1 - delta / 2."""
    upper: float
    """Above the difference with probability at least 1 - delta / 2."""
    p_value: float | None = None
    """Of the exact test that both rates are equal; None for a mean."""
    differing: int = 0
    """Pairs of episodes in which A and B differ."""

    @property
    def enough(self) -> bool:
        """Whether the interval may decide: it is exact, or at least ten pairs differ."""
        return self.p_value is not None or self.differing >= ENOUGH_PAIRS


def paired_rates(a: ArrayLike, b: ArrayLike, delta: float) -> Difference:
    """The difference of two rates over the same n episodes: [n] hits of A and of B.

    With n01 episodes hit by B alone and n10 by A alone, the difference is p01 - p10. Exact bounds
    of each (Clopper-Pearson 1934), each at delta / 4, bound it. The test is McNemar's, exact: given
    n01 + n10, n01 is binomial with probability 1 / 2 where the rates are equal.

    Raises:
        ValueError: no hits, different numbers of episodes, delta outside (0, 1).
    """
    check_delta(delta)
    hits_a, hits_b = check_hits(a), check_hits(b)
    _check_paired(hits_a[None], hits_b[None])
    n = len(hits_a)
    only_b, only_a = int((hits_b > hits_a).sum()), int((hits_a > hits_b).sum())
    lower = binomial_lower(only_b, n, delta / 4) - binomial_upper(only_a, n, delta / 4)
    upper = binomial_upper(only_b, n, delta / 4) - binomial_lower(only_a, n, delta / 4)
    differing = only_a + only_b
    p_value = float(binomtest(only_b, differing).pvalue) if differing else 1.0
    rate_a, rate_b = float(hits_a.mean()), float(hits_b.mean())
    return Difference(rate_a, rate_b, (only_b - only_a) / n, lower, upper, p_value, differing)


def paired_means(
    a: ArrayLike,
    b: ArrayLike,
    delta: float,
    generator: np.random.Generator,
    resamples: int = 10_000,
) -> Difference:
    """The difference of two means over the same n episodes.

    Each end is the outer one of the percentile bootstrap and of Student's t: the bootstrap follows
    a skew, t knows how little few training seeds or few episodes tell.

    Args:
        a: values of A [S, n], a row for each training seed.
        b: values of B [T, n].
        delta: probability that the interval misses the difference.
        generator: draws the resamples.
        resamples: how many. Episodes are drawn in pairs; training seeds of A and of B are drawn
            apart, where there are several.

    Raises:
        ValueError: values that are not finite, different numbers of episodes, fewer than two of
            them, delta outside (0, 1).
    """
    check_delta(delta)
    require(AT_LEAST_ONE, resamples=resamples)
    values_a, values_b = _matrix("a", a), _matrix("b", b)
    _check_paired(values_a, values_b)
    require(AT_LEAST_TWO, episodes=values_a.shape[1])
    seeds_a, seeds_b = (_counts(len(v), resamples, generator) for v in (values_a, values_b))
    episodes = _counts(values_a.shape[1], resamples, generator)
    drawn = np.einsum("rn,rn->r", seeds_b @ values_b - seeds_a @ values_a, episodes)
    lower, upper = np.quantile(drawn, [delta / 2, 1 - delta / 2])
    mean_a, mean_b = values_a.mean(0), values_b.mean(0)
    difference = float((mean_b - mean_a).mean())
    half = _student(values_a, values_b, delta)
    return Difference(
        float(mean_a.mean()),
        float(mean_b.mean()),
        difference,
        min(float(lower), difference - half),
        max(float(upper), difference + half),
        differing=int((mean_a != mean_b).sum()),
    )


def _student(a: NDArray, b: NDArray, delta: float) -> float:
    """Half the width of Welch's interval: episodes are one source of chance, each side's seeds too.

    The means of seeds hold chance of episodes too, so that it counts twice, on the safe side.
    """
    sources = [b.mean(0) - a.mean(0), *(side.mean(1) for side in (a, b) if len(side) > 1)]
    variances = np.array([source.var(ddof=1) / len(source) for source in sources])
    if not variances.any():
        return 0.0
    degrees = np.array([len(source) - 1 for source in sources])
    freedom = variances.sum() ** 2 / (variances**2 / degrees).sum()
    return float(t.ppf(1 - delta / 2, freedom) * np.sqrt(variances.sum()))


def _counts(n: int, resamples: int, generator: np.random.Generator) -> NDArray:
    """Weights [R, n] of a draw of n with replacement, which sum to one."""
    return generator.multinomial(n, np.full(n, 1 / n), resamples) / n


def _matrix(name: str, values: ArrayLike) -> NDArray:
    array = np.asarray(values, np.float64)
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite numbers [seeds, episodes], got {array.shape}")
    return array


def _check_paired(a: NDArray, b: NDArray) -> None:
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a and b must be of the same episodes, got {a.shape[1]} and {b.shape[1]}")
