"""Who may spend how much of the error probability: eps x metric x end of the sandwich x attack.

Each end of each sandwich gets the same part of delta. A lower end is the largest of K attacks'
bounds, any of which may err: its part is split over the attacks. An upper end of the worst
attack needs no split: it errs only if the bound of the one attack that is truly the worst errs.
So upper bounds of single attacks, each at that part, are one statement about the worst attack and
not K statements that hold together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from safer_gym.choices import choose
from safer_gym.conformance.statistics.bounds import check_delta
from safer_gym.domains import FLAG, require

WORST = "worst"
"""Stands for the worst attack of the battery in a `Share`."""
EVERY = "every"
"""Stands for every adversary in the ball in a `Share`."""
METRICS = ("rate", "mean", "quantile", "cvar")


class Share(NamedTuple):
    """One claim's part of the error probability."""

    eps: float
    attack: str
    """An attack of the battery, or `WORST`, or `EVERY`."""
    metric: str
    side: str
    """"lower" or "upper"."""
    delta: float


def allocate(
    delta: float,
    eps: Sequence[float],
    attacks: Sequence[str],
    metrics: Sequence[str] = ("rate", "mean"),
    *,
    every: bool = True,
) -> tuple[Share, ...]:
    """Split delta over all claims of a certificate; the parts never sum to more than delta.

    For each eps and metric: a lower end, split over the attacks; an upper end of the worst
    attack; and, with `every`, an upper end over every adversary. Quantiles and CVaR have upper
    ends only, and none over every adversary.

    Raises:
        ValueError: delta outside (0, 1), nothing to split over, a name twice or unknown.
    """
    check_delta(delta)
    require(FLAG, every=every)
    _check_distinct(eps=eps, attacks=attacks, metrics=metrics)
    for metric in metrics:
        choose("metrics", metric, METRICS)
    ends = [
        (e, metric, names, side)
        for e in eps
        for metric in metrics
        for names, side in _ends(metric, attacks, every)
    ]
    part = delta / len(ends)
    shares = [
        Share(float(e), name, metric, side, _round_down(part / len(names)))
        for e, metric, names, side in ends
        for name in names
    ]
    return tuple(shares)


def delta_of(shares: Iterable[Share], eps: float, attack: str, metric: str, side: str) -> float:
    """The delta that this claim may spend; an attack's upper bound spends that of the worst.

    Raises:
        KeyError: the claim has no share.
    """
    wanted = (float(eps), metric, side)
    found = {s.attack: s.delta for s in shares if (s.eps, s.metric, s.side) == wanted}
    for name in (attack, WORST) if side == "upper" and attack != EVERY else (attack,):
        if name in found:
            return found[name]
    raise KeyError(f"no share for {metric} {side} of {attack!r} at eps={eps}")


def total(shares: Iterable[Share]) -> Fraction:
    """The exact sum of the deltas."""
    return sum((Fraction(share.delta) for share in shares), Fraction(0))


def _ends(metric: str, attacks: Sequence[str], every: bool) -> list[tuple[Sequence[str], str]]:
    upper: list[tuple[Sequence[str], str]] = [((WORST,), "upper")]
    if metric in ("quantile", "cvar"):
        return upper
    return [(attacks, "lower"), *upper, *([((EVERY,), "upper")] if every else [])]


def _round_down(delta: float) -> float:
    """Two steps below: one for each division, which rounds by at most half a step."""
    return float(np.nextafter(np.nextafter(delta, 0.0), 0.0))


def _check_distinct(**named: Sequence[object]) -> None:
    for name, values in named.items():
        if isinstance(values, str):
            raise ValueError(f"{name} must be a sequence, got the str {values!r}")
        if not values or len(set(values)) != len(values):
            raise ValueError(f"{name} must be at least one, none twice, got {list(values)!r}")
