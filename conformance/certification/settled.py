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
