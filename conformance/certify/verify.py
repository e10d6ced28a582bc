"""Check a certificate against itself: every bound again, from the episodes that it records.

What can not be checked in this way is whether the episodes happened; `replay` runs some again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from safer_gym.conformance.battery.build import BATTERIES, seeks_cost
from safer_gym.conformance.battery.members import NULL
from safer_gym.conformance.certificate.evidence import Row
from safer_gym.conformance.certificate.record import Certificate, doubt_of
from safer_gym.conformance.certificate.requirement import Metric, Requirement
from safer_gym.conformance.certify.compositions import make_composition
from safer_gym.conformance.certify.decide import decision, headline, overall
from safer_gym.conformance.certify.inspect import contradiction_flags
from safer_gym.conformance.certify.ledger import Key, Ledger
from safer_gym.conformance.certify.plan import Plan
from safer_gym.conformance.certify.rows import make_row
from safer_gym.conformance.certify.world import Result
from safer_gym.conformance.evaluate.limits import Limits

TOLERANCE = 1e-9


def verify(certificate: Certificate) -> tuple[str, ...]:
    """What is wrong with a certificate, in words; empty where nothing is."""
    problems: list[str] = []
    try:
        problems += _problems(certificate)
    except ValueError as error:
        problems.append(f"its bounds cannot be derived: {error}")
    return tuple(problems)


def _problems(certificate: Certificate) -> Iterator[str]:
    if certificate.why_broken:
        yield certificate.why_broken
    spent = sum((Fraction(share.delta) for share in certificate.allocation), Fraction(0))
    if spent > Fraction(certificate.delta):
        yield f"the allocation spends {float(spent)}, more than delta = {certificate.delta}"
    if faults := [*_contradicted(certificate)]:
        yield from faults
        return  # no bound is defined of such episodes
    plan = _plan(certificate)
    ledger = _ledger(certificate, plan)
    refusals: dict[Any, str] = {}
    for row in certificate.rows:
        for metric in ("rate", "mean"):
            refused = getattr(row, metric).upper_every.refused
            if refused is not None:
                refusals[row.mode, metric] = refused
    rows = tuple(make_row(ledger, row.mode, row.eps, refusals) for row in certificate.rows)
    for found, made in zip(certificate.rows, rows, strict=True):
        yield from _differences(found, made, f"row eps {found.eps:g} ({found.mode})")
    for flag in contradiction_flags(rows):
        if flag not in certificate.flags:
            yield f"the flags do not say that {flag.message}"
    doubt = doubt_of(certificate.flags)
    by_place = {(row.mode, row.eps): row for row in rows}
    for recorded in certificate.requirements:
        place = (recorded.mode, recorded.eps)
        if place in by_place:
            again = decision(Requirement.parse(recorded.text), by_place[place], doubt)
            yield from _differences(recorded, again, f"requirement {recorded.text!r}")
        elif recorded.verdict != "INCONCLUSIVE":
            yield f"requirement {recorded.text!r}: decided without a row"
    for line in certificate.headlines:
        figures = headline(plan, rows, line.mode, doubt)
        yield from _differences(line, figures, f"headline ({line.mode})")
    if certificate.verdict != overall(certificate.requirements, doubt):
        yield f"the verdict {certificate.verdict} does not follow from the requirements"


def _contradicted(certificate: Certificate) -> Iterator[str]:
    """Recorded episodes beyond the limits that the bounds assume."""
    limits = Limits.recorded(certificate.environment)
    places: list[tuple[str, Any]] = [
        (f"row eps {row.eps:g} ({row.mode}), {evidence.attack}", evidence)
        for row in certificate.rows
        for evidence in row.attacks
    ]
    if certificate.benign is not None:
        places.append(("benign episodes", certificate.benign))
    for place, source in places:
        if len(source.costs) != len(source.lengths):
            yield f"{place}: {len(source.costs)} costs but {len(source.lengths)} lengths"
            continue
        result = _result(source)
        yield from (f"{place}: {fault}" for fault in limits.faults(result.costs, result.lengths))


def _plan(certificate: Certificate) -> Plan:
    """The plan, with each mode's rate as the headlines state it."""
    rates = tuple(
        Requirement(certificate.limit, h.rate, mode=h.mode) for h in certificate.headlines
    )
    modes = tuple(h.mode for h in reversed(certificate.headlines))
    radii = tuple(sorted({row.eps for row in certificate.rows}))
    return Plan(radii, modes, certificate.limit, certificate.delta, rates)


def _ledger(certificate: Certificate, plan: Plan) -> Ledger:
    high = Limits.recorded(certificate.environment).largest_cost()
    ledger = Ledger(
        plan,
        certificate.attacks,
        high,
        certificate.allocation,
        directed=_directed(certificate),
        unlearned=certificate.unlearned,
    )
    for row in certificate.rows:
        for evidence in row.attacks:
            key = Key.of(row.mode, evidence.attack, row.eps)
            if ledger.cell(key).n == 0:
                is_benign = row.mode == "stochastic" and evidence.attack == NULL
                source: Any = certificate.benign if is_benign else evidence
                if source is None:
                    raise ValueError("the stochastic policy's benign episodes are not recorded")
                ledger.cell(key).add(_result(source))
            if evidence.search_max_cost is not None:
                ledger.caps[key] = evidence.search_max_cost
                ledger.search_means[key] = evidence.search_mean_cost or 0.0
        if row.mode == "stochastic":
            _add_compositions(ledger, row)
    return ledger


def _directed(certificate: Certificate) -> set[str]:
    """Which attacks seek cost, as the certificate says.

    Raises:
        ValueError: one of a named battery that does not.
    """
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
    )


def _add_compositions(ledger: Ledger, row: Row) -> None:
    """What was used up as two columns: the rate's composition reads the first, the mean's the
    second."""
    metrics: tuple[Metric, ...] = ("rate", "mean")
    bounds = {metric: getattr(row, metric).upper_every for metric in metrics}
    n = max(len(bound.spent) for bound in bounds.values())
    columns = [
        np.array([np.inf if s is None else s for s in bound.spent or [None] * n])
        for bound in bounds.values()
    ]
    spent = np.stack(columns, axis=1)
    for column, (metric, bound) in enumerate(bounds.items()):
        if bound.promises is not None:
            ledger.promises[row.eps, metric] = bound.promises
        if bound.spent and bound.options is not None:
            ledger.spent[row.eps] = spent
            budget, order = bound.options["budget"], bound.options.get("order")
            ledger.compositions[row.eps, metric] = make_composition(
                bound.method, metric, column, budget, order
            )


def _differences(found: Any, made: Any, place: str) -> Iterator[str]:
    if is_dataclass(found) and type(found) is type(made):
        for field in fields(found):
            yield from _differences(
                getattr(found, field.name), getattr(made, field.name), f"{place}, {field.name}"
            )
    elif isinstance(found, tuple) and isinstance(made, tuple) and len(found) == len(made):
        for i, (a, b) in enumerate(zip(found, made, strict=True)):
            yield from _differences(a, b, f"{place}[{i}]")
    elif not _same(found, made):
        yield f"{place}: recorded {found!r}, but the episodes give {made!r}"


def _same(found: Any, made: Any) -> bool:
    if isinstance(found, float) and isinstance(made, float):
        return bool(np.isclose(found, made, rtol=TOLERANCE, atol=TOLERANCE))
    return bool(found == made)
