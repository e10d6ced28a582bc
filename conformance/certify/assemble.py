"""The certificate, from all that a run has found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from safer_gym.conformance import provenance
from safer_gym.conformance.battery import NULL, Battery
from safer_gym.conformance.battery.learning import Lessons
from safer_gym.conformance.certificate.evidence import Benign, Row
from safer_gym.conformance.certificate.model_evidence import ModelEvidence
from safer_gym.conformance.certificate.record import (
    BEYOND,
    EVERY_ADVERSARY,
    NO_MEAN,
    NO_MODE,
    Certificate,
    EpisodeOfNote,
    Flag,
    Refusal,
    doubt_of,
)
from safer_gym.conformance.certificate.requirement import Metric, Mode
from safer_gym.conformance.certify.decide import decide_all, headline, overall
from safer_gym.conformance.certify.given_model import GivenModel
from safer_gym.conformance.certify.independence import not_repeatable, stream_flags
from safer_gym.conformance.certify.inspect import (
    battery_flags,
    contradiction_flags,
    critic_flags,
    option_flags,
    policy_flags,
)
from safer_gym.conformance.certify.ledger import Key, Ledger
from safer_gym.conformance.certify.notes import is_same
from safer_gym.conformance.certify.rows import make_row
from safer_gym.conformance.certify.search import EPISODES, Found

if TYPE_CHECKING:
    from safer_gym.conformance.certify.run import Certification

CUT = "the adversary's ball is cut by the bounds that the space declares"
DETERMINISTIC = (
    "a deterministic action moves surely with what is seen, and no divergence bounds it; the "
    "stochastic rows have a bound over every adversary"
)


def certificate(
    run: Certification,
    battery: Battery,
    lessons: Lessons,
    found: Sequence[Found],
    ledger: Ledger,
    notes: tuple[EpisodeOfNote, ...],
    model: ModelEvidence | None = None,
) -> Certificate:
    """Everything in its place, sealed."""
    plan, settings, subject = run.plan, run.settings, run.subject
    refusals = {(mode, metric): reason for mode, metric, reason in _no_bounds(run)}
    rows = tuple(make_row(ledger, mode, eps, refusals) for mode in plan.modes for eps in plan.eps)
    flags = _flags(run, battery, lessons, found, ledger, rows, notes)
    doubt = doubt_of(flags)
    labels = (*battery.members, *battery.unlearned)
    given = GivenModel(model, settings.norm, settings.scale, plan.channel, labels)
    decisions = decide_all(plan, rows, run.missing, doubt, given)
    headlines = tuple(headline(plan, rows, mode, doubt, given) for mode in reversed(plan.modes))
    record = provenance.record()
    return Certificate(
        created=str(record["made"]),
        command=str(record["command"]),
        versions=provenance.versions(),
        policy=subject.policy,
        environment=subject.environment,
        norm=settings.norm,
        channel=plan.channel,
        scale=settings.scale,
        units=settings.units,
        limit=plan.limit,
        delta=plan.delta,
        seed=settings.seed,
        battery=battery.name,
        attacks=tuple(battery.members),
        unlearned=battery.unlearned,
        episodes={
            "search": EPISODES,
            "measure": settings.attack_episodes,
            "benign": run.caps.benign,
        },
        allocation=tuple(ledger.shares),
        rows=rows,
        benign=_benign(ledger),
        requirements=decisions,
        headlines=headlines,
        attacked_eps=headlines[0].attacked_eps,
        certified_eps=headlines[0].certified_eps,
        verdict=overall(decisions, doubt),
        flags=flags,
        refusals=_refusals(run, battery),
        episodes_of_note=notes,
        seconds=time.monotonic() - run.started,
        model=model,
    ).sealed()


def _no_bounds(run: Certification) -> list[tuple[Mode, Metric, str]]:
    reasons: dict[Mode, str] = {
        "deterministic": run.subject.why_deterministic or DETERMINISTIC,
        "stochastic": run.subject.why_no_bound,
    }
    metrics: tuple[Metric, ...] = ("rate", "mean")
    return [(mode, metric, why) for mode, why in reasons.items() for metric in metrics if why]


def _benign(ledger: Ledger) -> Benign | None:
    cell = ledger.cells.get(Key.of("stochastic", NULL, 0.0))
    if cell is None or cell.n == 0:
        return None
    return Benign(
        cell.n,
        tuple(cell.costs.tolist()),
        tuple(cell.returns.tolist()),
        tuple(cell.lengths.astype(int).tolist()),
        tuple(cell.worst_h.tolist()),
    )


def _refusals(run: Certification, battery: Battery) -> tuple[Refusal, ...]:
    refused = [
        Refusal(EVERY_ADVERSARY.format(mode=mode), why)
        for mode, metric, why in _no_bounds(run)
        if metric == "rate" and mode in run.plan.modes
    ]
    refused += [
        Refusal(NO_MODE.format(mode=mode), run.missing[mode])
        for mode in run.asked.modes
        if run.missing[mode]
    ]
    if run.subject.high is None:
        refused.append(
            Refusal(
                NO_MEAN,
                "the largest cost of an episode is not known: pass "
                "max_step_cost, and an environment with a time limit in its spec",
            )
        )
    if _is_cut(run):
        channel = run.plan.channel
        refused.append(Refusal(BEYOND.format(channel=channel), CUT))
    return (*refused, *battery.left_out)


def _is_cut(run: Certification) -> bool:
    """Whether the space of what is moved cuts the adversary's ball."""
    ends = (run.subject.ball.low, run.subject.ball.high)
    return any(bool(torch.isfinite(end).any()) for end in ends)


def _flags(
    run: Certification,
    battery: Battery,
    lessons: Lessons,
    found: Sequence[Found],
    ledger: Ledger,
    rows: Sequence[Row],
    notes: Sequence[EpisodeOfNote],
) -> tuple[Flag, ...]:
    victim, is_shown = run.subject.victim, run.plan.channel == "observation"
    plain = next(f for f in found if f.job.attack == NULL)
    costly = max(found, key=lambda f: float(f.result.costs.mean()) if f.result.traces else -1.0)
    flags = policy_flags(victim, plain.result.traces) if is_shown else []
    if is_shown:
        flags += option_flags(run.subject.view, run.subject.ball, run.plan.eps, plain.result.traces)
    flags += critic_flags(victim, costly.result.traces)
    flags += battery_flags(rows, [m for m, member in battery.members.items() if member.gradient])
    flags += contradiction_flags(rows)
    if lessons.rates and not any(lessons.rates):
        flags.append(
            Flag(
                "no-cost-learned",
                "learning met no cost: the fitted critics are flat, and attacks led by them weak",
                "warning",
            )
        )
    if run.subject.threat is not None:
        words = run.subject.threat.words(run.plan.eps)
        flags += [Flag("threat", sentence, "note") for sentence in words]
    flags += run.doubts
    flags += stream_flags(ledger, found)
    if not run.doubts and not all(is_same(ledger, note) for note in notes):
        flags.append(not_repeatable("under attack"))
    return tuple(flags)
