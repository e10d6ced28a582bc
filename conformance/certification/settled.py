"""When there is no need to look further: the bounds already say what was asked."""

from __future__ import annotations

import numpy as np

from safer_gym.conformance.battery.members import NULL
from safer_gym.conformance.certification.ledger import Ledger
from safer_gym.conformance.certification.plan import Target
from safer_gym.conformance.requirement import Mode
from safer_gym.conformance.statistics import EVERY, binomial_lower
from safer_gym.conformance.statistics.sequences import rate_bounds

GUESS = 0.1
"""How often the low guess of a rate may be too high."""


def refuted(ledger: Ledger, mode: Mode, eps: float, target: Target) -> bool:
    """An attack at this or a smaller radius exceeds the target for sure."""
    return any(
        ledger.ends(mode, radius, attack, target.metric).lower > target.bound
        for radius in ledger.plan.eps
        if radius <= eps
        for attack in ledger.attacks_at(radius)
    )


def cell_settled(ledger: Ledger, mode: Mode, attack: str, eps: float) -> bool:
    """More episodes of this attack would decide nothing: the bounds of the attack, or those over
    every adversary, already say on which side of each target it is."""
    radii = ledger.plan.eps if attack == NULL else (eps,)
    return all(
        refuted(ledger, mode, radius, target)
        or ledger.ends(mode, radius, attack, target.metric).upper <= target.bound
        or (mode == "stochastic" and attack != NULL and _every_below(ledger, radius, target))
        for radius in radii
        for target in ledger.plan.targets(radius, mode)
        if not (target.metric == "mean" and ledger.high is None)
    )


def _every_below(ledger: Ledger, eps: float, target: Target) -> bool:
    """No adversary at this or a larger radius exceeds the target."""
    found = [ledger.every(r, target.metric) for r in ledger.plan.eps if r >= eps]
    return any(f is not None and f.value <= target.bound for f in found)


def hopeless(ledger: Ledger, eps: float, most: int) -> bool:
    """Whether `most` benign episodes would hardly bring the bound over every adversary below any
    target that is still open, at this radius.

    Judged by a low guess of the rate of hits: nine times in ten it is lower than the truth. A
    wrong guess costs episodes or a verdict, never the validity of a bound: those hold wherever the
    measurement stops.
    """
    open_targets = [
        target
        for target in ledger.plan.targets(eps, "stochastic")
        if not refuted(ledger, "stochastic", eps, target) and not _every_below(ledger, eps, target)
    ]
    return not any(_within_reach(ledger, eps, target, most) for target in open_targets)


def _within_reach(ledger: Ledger, eps: float, target: Target, most: int) -> bool:
    found = ledger.every(eps, target.metric)
    if found is None:
        return False
    if target.metric == "mean":
        # No bound of a moment, and no power of it below 1, falls faster than 1 / n.
        return found.value * found.n / most <= target.bound
    chosen, delta = ledger.filters[eps], ledger.delta("stochastic", eps, EVERY, "rate", "upper")
    assert chosen is not None
    assert delta is not None
    hits = int(most * binomial_lower(found.hits, found.n, GUESS))
    p = float(rate_bounds(np.array([hits]), np.array([most]), delta).upper[0])
    return chosen.probability(p) <= target.bound


def every_settled(ledger: Ledger, eps: float) -> bool:
    """The bound over every adversary is below all targets, or can not be."""
    for target in ledger.plan.targets(eps, "stochastic"):
        if refuted(ledger, "stochastic", eps, target):
            continue
        if _every_below(ledger, eps, target):
            continue
        has_filter = (ledger.filters if target.metric == "rate" else ledger.mean_filters).get(eps)
        if has_filter is not None:
            return False
    return True
