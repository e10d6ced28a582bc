"""Evidence against "the mean of z in [0, 1] is at most m", as a gambler's wealth.

The gambler stakes the share c of his wealth on z > m, at odds that are fair or worse under the
claim: one episode multiplies his wealth by 1 - c + c z / m. He splits his first coin over many c,
as the universal portfolio does. If the claim holds, his wealth ever exceeds 1 / delta with
probability at most delta (Ville), however and whenever one stops.

Sources: Cover and Ordentlich 1996 (the mixture), Waudby-Smith and Ramdas 2024 and Orabona and
Jun 2021 (confidence sequences from it).

Axes: J shares, n episodes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from safer_gym.conformance.statistics.bounds import Floats

SHARES = 64
"""Any number is sound; at 10,000 episodes this one is within 1 nat of infinitely many."""


def even_shares(count: int = SHARES) -> Floats:
    """The arcsine law, Beta(1/2, 1/2), as `count` points of equal weight [J]."""
    return np.sin(np.pi * (np.arange(count) + 0.5) / (2 * count)) ** 2


def bold_shares(count: int = SHARES) -> Floats:
    """Beta(1, 1/2) as `count` points of equal weight [J]: best where cost is rare.

    After n episodes without cost the wealth of the boldest share is the largest possible,
    (1 - m)^-n against "the mean cost is at least m"; half of this law's points lie above 3/4.
    """
    return 1.0 - ((np.arange(count) + 0.5) / count) ** 2


def log_wealth(z: Floats, mean: float, shares: Floats) -> Floats:
    """Log wealth of the bet against "the mean of z is at most `mean`", after each z.

    Args:
        z: Values in [0, 1], any leading axes [..., n].
        mean: In (0, 1].
        shares: One of the laws above [J].

    Returns:
        [..., n]. The claim is refuted at level delta where this reaches log(1 / delta).
    """
    wealth = np.cumsum(np.log1p(shares * (z[..., None] / mean - 1.0)), axis=-2)
    return logsumexp(wealth, axis=-1) - np.log(len(shares))


def log_wealth_of_counts(
    k: NDArray[np.int64], n: NDArray[np.int64] | int, mean: float, shares: Floats
) -> Floats:
    """`log_wealth` of any order of k ones and n - k zeros, entry by entry [...]."""
    misses = np.subtract(n, k)[..., None] * np.log1p(-shares)
    wealth = k[..., None] * np.log1p(shares * (1.0 / mean - 1.0)) + misses
    return logsumexp(wealth, axis=-1) - np.log(len(shares))
