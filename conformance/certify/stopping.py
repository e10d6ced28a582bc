"""When there is no need to look further: the bounds already say what was asked."""

from __future__ import annotations

import math

import numpy as np

from safer_gym.conformance.battery.members import NULL
from safer_gym.conformance.certificate.requirement import Mode
from safer_gym.conformance.certify.ledger import Ledger
from safer_gym.conformance.certify.plan import Target
from safer_gym.conformance.statistics import EVERY, binomial_lower, mean_sequence
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


def is_cell_decided(ledger: Ledger, mode: Mode, attack: str, eps: float) -> bool:
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
    found, metric = ledger.every(eps, target.metric), target.metric
    delta = ledger.delta("stochastic", eps, EVERY, metric, "upper")
    if found is None or delta is None:
        return False
    chosen = ledger.compositions[eps, metric]
    if chosen.is_event:
        hits = int(most * binomial_lower(found.hits, found.n, GUESS))
        mean = float(rate_bounds(np.array([hits]), np.array([most]), delta).upper[0])
    else:
        low = mean_sequence(chosen.values(*ledger.benign(eps, metric)), chosen.top, GUESS).lower[-1]
        # No bet refutes what lies above the mean by less than this part of the rest.
        mean = float(low + (chosen.top - low) * min(1.0, math.log(1 / delta) / most))
    return ledger.scale(metric) * chosen.bound(mean) <= target.bound


def is_every_decided(ledger: Ledger, eps: float) -> bool:
    """The bound over every adversary is below all targets, or cannot be."""
    return all(
        refuted(ledger, "stochastic", eps, target)
        or _every_below(ledger, eps, target)
        or (eps, target.metric) not in ledger.compositions
        for target in ledger.plan.targets(eps, "stochastic")
    )
