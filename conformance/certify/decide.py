"""From sandwiches to verdicts and headlines.

`doubt` is why nothing may be decided, see `doubt_of`: an evaluation that contradicts itself
neither passes nor fails a policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from safer_gym.conformance.certificate.evidence import Row, Sandwich
from safer_gym.conformance.certificate.model_evidence import KIND
from safer_gym.conformance.certificate.record import Decision, Headline, VerdictName
from safer_gym.conformance.certificate.requirement import Mode, Requirement, Scope
from safer_gym.conformance.certificate.view import NO_ATTACK
from safer_gym.conformance.certify.given_model import GivenModel
from safer_gym.conformance.certify.plan import Plan

NO_MODEL = GivenModel(None, "linf", None, "observation", ())
STATISTICAL, FORMAL = "statistical", "statistical, over a formal enclosure"


def decide_all(
    plan: Plan,
    rows: Sequence[Row],
    missing: Mapping[Mode, str],
    doubt: str = "",
    given: GivenModel = NO_MODEL,
) -> tuple[Decision, ...]:
    """What became of each requirement.

    Args:
        given: what holds given a model.
        missing: why the policy does not have a mode that has no rows.
    """
    by_place = {(row.mode, row.eps): row for row in rows}
    made = []
    for requirement in plan.requirements:
        assert requirement.mode is not None
        row = by_place.get((requirement.mode, requirement.eps))
        if row is not None:
            made.append(decision(requirement, row, doubt, given))
            continue
        other = decision(requirement, by_place[plan.modes[0], requirement.eps])
        made.append(replace(other, verdict="INCONCLUSIVE", why=missing[requirement.mode]))
    return tuple(made)


def decision(
    requirement: Requirement, row: Row, doubt: str = "", given: GivenModel = NO_MODEL
) -> Decision:
    """FAIL if the lower end is above the bound, PASS if the upper end of its scope is not."""
    sandwich = row.rate if requirement.metric == "rate" else row.mean
    verdict, why, kind = _verdict(requirement, sandwich, given)
    if doubt:
        verdict, why, kind = "INCONCLUSIVE", f"nothing is decided; {doubt}", ""
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
        channel=requirement.channel,
        kind=kind if requirement.scope == "model" else "",
    )


def overall(decisions: Sequence[Decision], doubt: str = "") -> VerdictName:
    """FAIL if any fails, PASS if all pass; without requirements nothing is decided."""
    verdicts = {decision.verdict for decision in decisions}
    if doubt:
        return "INCONCLUSIVE"
    if "FAIL" in verdicts:
        return "FAIL"
    return "PASS" if verdicts == {"PASS"} else "INCONCLUSIVE"


def headline(
    plan: Plan, rows: Sequence[Row], mode: Mode, doubt: str = "", given: GivenModel = NO_MODEL
) -> Headline:
    """The figures of one mode at its violation rate."""
    rate = plan.rate(mode)
    if doubt:
        return Headline(mode, rate, None, None, None, f"nothing is claimed; {doubt}")
    own = sorted((row for row in rows if row.mode == mode), key=lambda row: row.eps)
    attacked = [row.eps for row in own if row.rate.lower.value > rate]
    certified = [row.eps for row in own if _at_most(row.rate.upper_every.value, rate)]
    stood = [row.eps for row in own if _passing(_ends("attacks", row.rate), rate)]
    held = [row.eps for row in own if mode == "deterministic" and _is_held(row, rate, given)]
    fell = next((row.eps for row in own if row.eps not in stood), None)
    return Headline(
        mode=mode,
        rate=rate,
        attacked_eps=min(attacked, default=None),
        certified_eps=max(certified, default=None),
        certified_eps_attacks=max((e for e in stood if fell is None or e < fell), default=None),
        reason=_reason(own, rate),
        certified_eps_given_model=max(held, default=None),
    )


def _is_held(row: Row, rate: float, given: GivenModel) -> bool:
    """Whether no adversary exceeds the rate given the model, and no attack did."""
    if row.eps == 0 or given.refused(row.eps, "rate") or row.rate.lower.value > rate:
        return False
    return _at_most(given.upper(row.eps), rate)


def _reason(rows: Sequence[Row], rate: float) -> str | None:
    """Why no radius counts as withstood where the battery's upper end alone would do."""
    idle = [row.rate for row in rows if not _passing(_ends("attacks", row.rate), rate)]
    refused = (s.upper_attacks.refused for s in idle if _at_most(s.upper_attacks.value, rate))
    return next((f"nothing is claimed under attacks; {reason}" for reason in refused), None)


def _at_most(value: float | None, bound: float) -> bool:
    return value is not None and value <= bound


class _End(NamedTuple):
    """An upper end that covers all adversaries of a scope."""

    name: str
    value: float | None
    refused: str | None
    """Why it supports no PASS; None where it does."""
    kind: str = FORMAL


def _ends(scope: Scope, sandwich: Sandwich, given: _End | None = None) -> tuple[_End, ...]:
    """The ends that bound a scope: an attack is one of all adversaries."""
    every, upper = sandwich.upper_every, sandwich.upper_attacks
    if scope == "every":
        return (_End("every adversary", every.value, every.refused),)
    if scope == "model":
        assert given is not None
        return (given, _End("every adversary, without a model,", every.value, every.refused))
    return (
        _End(
            f"the battery's worst, {_named(upper.attack)},", upper.value, upper.refused, STATISTICAL
        ),
        _End("every adversary, and so the battery,", every.value, None),
    )


def _named(attack: str | None) -> str:
    return "the policy without an attack" if attack in NO_ATTACK else str(attack)


def _passing(ends: Sequence[_End], bound: float) -> list[_End]:
    """The ends that show the bound, the lowest first."""
    found = [end for end in ends if not end.refused and _at_most(end.value, bound)]
    return sorted(found, key=_value)


def _value(end: _End) -> float:
    return np.inf if end.value is None else end.value


def _verdict(
    requirement: Requirement, sandwich: Sandwich, given: GivenModel
) -> tuple[VerdictName, str, str]:
    """The verdict, why, and which kind of evidence carried it."""
    lower, bound = sandwich.lower, requirement.bound
    if lower.value > bound:
        return (
            "FAIL",
            (
                f"{_named(lower.attack)} at eps {lower.eps:g} reaches at least {lower.value:.4g}, "
                f"above {bound:g}"
            ),
            STATISTICAL,
        )
    refused = given.refused(requirement.eps, requirement.metric)
    model = _End("every adversary, given the model,", given.upper(requirement.eps), refused, KIND)
    ends = _ends(requirement.scope, sandwich, model)
    if passing := _passing(ends, bound):
        name, value, _, kind = passing[0]
        why = f"{name} stays at or below {value:.4g}, not above {bound:g}"
        return "PASS", f"{why} ({kind})" if requirement.scope == "model" else why, kind
    reasons = [end.refused for end in ends if end.refused]
    nearest = min(ends, key=_value)
    if nearest.value is None:
        return "INCONCLUSIVE", "; ".join(reasons) or "there is no upper bound of the mean", ""
    if nearest.value > bound:
        between = f"between {lower.value:.4g} and {nearest.value:.4g} (upper end: {nearest.name})"
        reasons.insert(0, f"{between}; {bound:g} lies between")
    return "INCONCLUSIVE", "; ".join(reasons), ""
