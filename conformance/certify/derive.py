"""The certificate that follows from what a certificate records.

Recorded: the questions (radii, limit, delta, requirements), the episodes, what search chose before
them, and facts about policy, environment and run. All else is computed here once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from safer_gym.conformance.battery.build import BATTERIES, climbs, seeks_cost
from safer_gym.conformance.certificate.evidence import Row
from safer_gym.conformance.certificate.record import (
    EVERY_ADVERSARY,
    NO_MODE,
    Certificate,
    Decision,
    EpisodeOfNote,
    Flag,
    Share,
    doubt_of,
)
from safer_gym.conformance.certificate.requirement import MODES, Metric, Mode, Requirement
from safer_gym.conformance.certify.compositions import make_composition
from safer_gym.conformance.certify.decide import decide_all, headline, overall
from safer_gym.conformance.certify.given_model import GivenModel, derived_evidence, read_shield
from safer_gym.conformance.certify.independence import not_repeatable
from safer_gym.conformance.certify.inspect import battery_flags, contradiction_flags
from safer_gym.conformance.certify.ledger import Key, Ledger
from safer_gym.conformance.certify.notes import is_same, worst_jobs
from safer_gym.conformance.certify.plan import Plan, make_plan
from safer_gym.conformance.certify.rows import make_row
from safer_gym.conformance.certify.schedule import BENIGN
from safer_gym.conformance.certify.seeds import seed_of, start_in
from safer_gym.conformance.certify.shares import split
from safer_gym.conformance.certify.world import Result
from safer_gym.conformance.evaluate.limits import Limits
from safer_gym.wrappers.shield.shield import Models


def derived(certificate: Certificate, *, model: Models = None, trust: bool = False) -> Certificate:
    """The certificate as it follows from its recorded parts.

    Args:
        certificate: not trusted.
        model, trust: the functions that a shield has as its model, see `verify`.

    Raises:
        ValueError: they contradict each other.
    """
    plan = plan_of(certificate)
    shares = split(plan, _chosen(certificate))
    ledger = _ledger(certificate, plan, shares)
    refused = refused_bounds(certificate)
    rows = tuple(make_row(ledger, mode, eps, refused) for mode in plan.modes for eps in plan.eps)
    notes = _notes(certificate, ledger)
    flags = _flags(certificate, ledger, rows, notes)
    doubt = doubt_of(flags)
    evidence = certificate.model
    if evidence is not None:
        shield = read_shield(evidence.shield, model, trust=trust)
        evidence = derived_evidence(evidence, shield)
    labels = (*certificate.attacks, *certificate.unlearned)
    given = GivenModel(evidence, certificate.norm, certificate.scale, certificate.channel, labels)
    decisions = decide_all(plan, rows, _missing(certificate), doubt, given)
    headlines = tuple(headline(plan, rows, mode, doubt, given) for mode in reversed(plan.modes))
    return replace(
        certificate,
        model=evidence,
        allocation=shares,
        rows=rows,
        requirements=decisions,
        headlines=headlines,
        attacked_eps=headlines[0].attacked_eps,
        certified_eps=headlines[0].certified_eps,
        verdict=overall(decisions, doubt),
        flags=flags,
        episodes_of_note=notes,
    )


def plan_of(certificate: Certificate) -> Plan:
    """The questions. Limits and confidences must be those that the certificate was made for."""
    modes = {row.mode for row in certificate.rows}
    requirements = [_asked(decision) for decision in certificate.requirements]
    if not certificate.rows:
        raise ValueError("there are no rows")
    plan = make_plan(
        requirements,
        eps=sorted({row.eps for row in certificate.rows}),
        limit=certificate.limit,
        modes=[mode for mode in MODES if mode in modes | {r.mode for r in requirements}],
        delta=certificate.delta,
        channel=certificate.channel,
    )
    plan = plan._replace(modes=tuple(mode for mode in plan.modes if mode in modes))
    places = [(row.mode, row.eps) for row in certificate.rows]
    if places != [(mode, eps) for mode in plan.modes for eps in plan.eps]:
        raise ValueError(f"rows must be one for each mode and radius, in order; got {places}")
    return plan


def refused_bounds(certificate: Certificate) -> dict[tuple[Mode, Metric], str]:
    """Why there is no bound over every adversary, by mode and metric."""
    reasons = {refusal.what: refusal.reason for refusal in certificate.refusals}
    found: dict[tuple[Mode, Metric], str] = {}
    for mode in MODES:
        if reason := reasons.get(EVERY_ADVERSARY.format(mode=mode)):
            found[mode, "rate"] = found[mode, "mean"] = reason
    return found


def _asked(decision: Decision) -> Requirement:
    bound = {"rate": decision.bound} if decision.metric == "rate" else {"mean": decision.bound}
    return Requirement(
        limit=decision.limit,
        eps=decision.eps,
        scope=decision.scope,
        confidence=decision.confidence,
        mode=decision.mode,
        channel=decision.channel,
        **bound,
    )


def _missing(certificate: Certificate) -> Mapping[Mode, str]:
    reasons = {refusal.what: refusal.reason for refusal in certificate.refusals}
    return {mode: reasons.get(NO_MODE.format(mode=mode), "") for mode in MODES}


def _chosen(certificate: Certificate) -> dict[tuple[Mode, float], list[str]]:
    """By row: the attacks whose lower bounds may count."""
    lower = [s for s in certificate.allocation if (s.metric, s.side) == ("rate", "lower")]
    return {
        (row.mode, row.eps): [s.attack for s in lower if (s.mode, s.eps) == (row.mode, row.eps)]
        for row in certificate.rows
    }


def _ledger(certificate: Certificate, plan: Plan, shares: tuple[Share, ...]) -> Ledger:
    high = Limits.recorded(certificate.environment).largest_cost()
    ledger = Ledger(
        plan,
        certificate.attacks,
        high,
        shares,
        directed=_directed(certificate),
        unlearned=certificate.unlearned,
    )
    if certificate.benign is not None:
        ledger.cell(BENIGN).add(_result(certificate.benign))
    for row in certificate.rows:
        for evidence in row.attacks:
            key = Key.of(row.mode, evidence.attack, row.eps)
            if key != BENIGN and ledger.cell(key).n == 0:
                ledger.cell(key).add(_result(evidence))
            if evidence.search_max_cost is not None:
                ledger.caps[key] = evidence.search_max_cost
                ledger.search_means[key] = evidence.search_mean_cost or 0.0
        if row.mode == "stochastic":
            _add_compositions(ledger, row)
    return ledger


def _directed(certificate: Certificate) -> set[str]:
    """Which attacks seek cost: those of a named battery that do, unless their critics are flat."""
    said = {a.attack for row in certificate.rows for a in row.attacks if a.cost_directed}
    if certificate.battery in BATTERIES:
        for label in said:
            if not seeks_cost(label):
                raise ValueError(f"the attack {label!r} does not seek cost")
    return said


def _result(source: Any) -> Result:
    n = len(source.costs)
    return Result(
        np.array(source.costs, dtype=float),
        np.array(source.returns, dtype=float),
        np.array(source.lengths, dtype=np.int64),
        np.zeros((n, 0, 0)),
        (),
        worst_h=np.array(source.worst_h, dtype=float),
    )


def _add_compositions(ledger: Ledger, row: Row) -> None:
    """What was used up as two columns: the rate's composition reads the first, the mean's the
    second."""
    metrics: tuple[Metric, ...] = ("rate", "mean")
    bounds = {metric: getattr(row, metric).upper_every for metric in metrics}
    n = max(len(bound.spent) for bound in bounds.values())
    columns = [
        np.array([np.inf if total is None else total for total in bound.spent or [None] * n])
        for bound in bounds.values()
    ]
    spent = np.stack(columns, axis=1)
    for column, (metric, bound) in enumerate(bounds.items()):
        if bound.promises is not None:
            ledger.promises[row.eps, metric] = bound.promises
        if bound.spent and bound.options is not None:
            ledger.spent[row.eps] = spent
            budget, order = bound.options.get("budget", -1.0), bound.options.get("order")
            ledger.compositions[row.eps, metric] = make_composition(
                bound.method, metric, column, budget, order
            )


def _flags(
    certificate: Certificate,
    ledger: Ledger,
    rows: tuple[Row, ...],
    notes: tuple[EpisodeOfNote, ...],
) -> tuple[Flag, ...]:
    """The recorded flags, with those that follow from rows and notes as they follow."""
    follow, names = contradiction_flags(rows), ["ends-contradict"]
    if certificate.battery in BATTERIES:
        climbers = [label for label in certificate.attacks if climbs(label)]
        follow, names = [*battery_flags(rows, climbers), *follow], [*names, "gradient-free-wins"]
    again = not_repeatable("under attack")
    # What the pilot's episodes said before, no note has to say once more.
    seen = any(flag.name == again.name and flag != again for flag in certificate.flags)
    if not seen and not all(is_same(ledger, note) for note in notes):
        follow.append(again)
    recorded = [flag for flag in certificate.flags if flag.name in names or flag == again]
    if recorded == follow:
        return certificate.flags
    return (*(flag for flag in certificate.flags if flag not in recorded), *follow)


def _notes(certificate: Certificate, ledger: Ledger) -> tuple[EpisodeOfNote, ...]:
    """The costliest episodes; what the second run found is a record of its own."""
    jobs, notes = worst_jobs(ledger), certificate.episodes_of_note
    if len(jobs) != len(notes):
        raise ValueError(f"{len(jobs)} episodes are of note, and {len(notes)} are recorded")
    return tuple(
        replace(
            note,
            eps=job.eps,
            mode=job.mode,
            attack=job.attack,
            index=job.first,
            seed=seed_of(start_in(certificate), "measure", job.first),
        )
        for job, note in zip(jobs, notes, strict=True)
    )
