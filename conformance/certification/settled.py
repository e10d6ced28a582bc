"""When there is no need to look further: the bounds already say what was asked."""

from __future__ import annotations

from safer_gym.conformance.battery.members import NULL
from safer_gym.conformance.certification.ledger import Ledger
from safer_gym.conformance.certification.plan import Target
from safer_gym.conformance.requirement import Mode


def refuted(ledger: Ledger, mode: Mode, eps: float, target: Target) -> bool:
    """An attack at this or a smaller radius exceeds the target for sure."""
    return any(
        ledger.ends(mode, radius, attack, target.metric).lower > target.bound
        for radius in ledger.plan.eps
        if radius <= eps
        for attack in ledger.attacks_at(radius)
    )


def cell_settled(ledger: Ledger, mode: Mode, attack: str, eps: float) -> bool:
    """More episodes of this attack would decide nothing."""
    radii = ledger.plan.eps if attack == NULL else (eps,)
    return all(
        refuted(ledger, mode, radius, target)
        or ledger.ends(mode, radius, attack, target.metric).upper <= target.bound
        for radius in radii
        for target in ledger.plan.targets(radius, mode)
        if not (target.metric == "mean" and ledger.high is None)
    )


def every_settled(ledger: Ledger, eps: float) -> bool:
    """The bound over every adversary is below all targets, or can not be."""
    for target in ledger.plan.targets(eps, "stochastic"):
        if refuted(ledger, "stochastic", eps, target):
            continue
        found = ledger.every(eps, target.metric)
        has_filter = (ledger.filters if target.metric == "rate" else ledger.mean_filters).get(eps)
        if has_filter is not None and (found is None or found.value > target.bound):
            return False
    return True
