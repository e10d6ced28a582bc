"""From sandwiches to verdicts and headlines.

`doubt` is why nothing may be decided, see `doubt_of`: an evaluation that contradicts itself
neither passes nor fails a policy.
"""

from __future__ import annotations

from collections.abc import Sequence

from safer_gym.conformance.certificate.evidence import Row, Sandwich
from safer_gym.conformance.certificate.record import Decision, Headline, VerdictName
from safer_gym.conformance.certificate.requirement import Mode, Requirement
from safer_gym.conformance.certify.plan import Plan


def decision(requirement: Requirement, row: Row, doubt: str = "") -> Decision:
    """FAIL if the lower end is above the bound, PASS if the upper end of its scope is not."""
    sandwich = row.rate if requirement.metric == "rate" else row.mean
    verdict, why = _verdict(requirement, sandwich)
    if doubt:
        verdict, why = "INCONCLUSIVE", f"nothing is decided; {doubt}"
    assert requirement.mode is not None
    return Decision(
        text=str(requirement),
        limit=requirement.limit,
        bound=requirement.bound,
        metric=requirement.metric,
        eps=requirement.eps,
        scope=requirement.scope,
        confidence=requirement.confidence,
        mode=requirement.mode,
        verdict=verdict,
        why=why,
    )


def overall(decisions: Sequence[Decision], doubt: str = "") -> VerdictName:
    """FAIL if any fails, PASS if all pass; without requirements nothing is decided."""
    verdicts = {decision.verdict for decision in decisions}
    if doubt:
        return "INCONCLUSIVE"
    if "FAIL" in verdicts:
        return "FAIL"
    return "PASS" if verdicts == {"PASS"} else "INCONCLUSIVE"


def headline(plan: Plan, rows: Sequence[Row], mode: Mode, doubt: str = "") -> Headline:
    """The figures of one mode at its violation rate."""
    rate = plan.rate(mode)
    if doubt:
        return Headline(mode, rate, None, None, None, f"nothing is claimed; {doubt}")
    own = sorted((row for row in rows if row.mode == mode), key=lambda row: row.eps)
    attacked = [row.eps for row in own if row.rate.lower.value > rate]
    certified = [row.eps for row in own if _at_most(row.rate.upper_every.value, rate)]
    stood = [row.eps for row in own if _at_most(_of_attacks(row.rate)[1], rate)]
    fell = next((row.eps for row in own if row.eps not in stood), None)
    stood = [eps for eps in stood if fell is None or eps < fell]
    return Headline(
        mode=mode,
        rate=rate,
        attacked_eps=min(attacked, default=None),
        certified_eps=max(certified, default=None),
        certified_eps_attacks=max(stood, default=None),
    )


def _at_most(value: float | None, bound: float) -> bool:
    return value is not None and value <= bound


def _of_attacks(sandwich: Sandwich) -> tuple[str, float | None]:
    """Whose upper end bounds the battery, and its value: an attack is one of all adversaries."""
    upper, every = sandwich.upper_attacks, sandwich.upper_every.value
    if every is not None and (upper.value is None or every < upper.value):
        return "every adversary, and so the battery,", every
    return f"the battery's worst, {upper.attack},", upper.value


def _verdict(requirement: Requirement, sandwich: Sandwich) -> tuple[VerdictName, str]:
    lower, bound = sandwich.lower, requirement.bound
    if lower.value > bound:
        return "FAIL", (
            f"{lower.attack} at eps {lower.eps:g} reaches at least {lower.value:.4g}, above "
            f"{bound:g}"
        )
    if requirement.scope == "attacks":
        (name, value), reason = _of_attacks(sandwich), None
    else:
        every = sandwich.upper_every
        name, value, reason = "every adversary", every.value, every.refused
    if value is None:
        return "INCONCLUSIVE", reason or "there is no upper bound of the mean"
    if value <= bound:
        return "PASS", f"{name} stays at or below {value:.4g}, not above {bound:g}"
    return "INCONCLUSIVE", (
        f"between {lower.value:.4g} and {value:.4g} (upper end: {name}); {bound:g} lies between"
    )
