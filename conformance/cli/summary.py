"""A certificate on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from safer_gym.conformance.certificate.evidence import Row, Sandwich
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.cli.output import print_table
from safer_gym.conformance.formatting import deviations
from safer_gym.conformance.report.certificate.tables import allocation_summary

COLOURS = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow"}


def print_summary(certificate: Certificate) -> None:
    """Sandwiches, decisions, headlines and flags."""
    console = Console()
    what = f"P(cost > {certificate.limit:g})"
    print_table(
        f"{what} of {_policy(certificate)} in "
        f"{certificate.environment.id}, all bounds at {1 - certificate.delta:.0%} confidence",
        [_line(row) for row in certificate.rows],
    )
    head, rows = allocation_summary(certificate.to_json())
    print_table(
        f"where the error probability of {certificate.delta:g} goes",
        [dict(zip(head, row, strict=True)) for row in rows],
    )
    for line in _words(certificate):
        console.print(line, highlight=False)


def _policy(certificate: Certificate) -> str:
    policy = certificate.policy
    name = policy.source or policy.kind
    for what, std in (
        ("action noise", policy.action_noise),
        ("observation noise", policy.observation_noise),
    ):
        name += "" if std is None else f" with {what} {deviations(std)}"
    return name


def _line(row: Row) -> dict[str, str]:
    return {
        "eps": f"{row.eps:g}",
        "policy": row.mode,
        "at least": f"{row.rate.lower.value:.3f}",
        "by": row.rate.lower.attack or "-",
        "attacks at most": _number(row.rate.upper_attacks.value),
        "anyone at most": _every(row.rate),
        "n": str(sum(a.n for a in row.attacks)),
    }


def _every(sandwich: Sandwich) -> str:
    every = sandwich.upper_every
    if every.refused is not None:
        return "refused"
    return "vacuous" if every.vacuous else _number(every.value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _words(certificate: Certificate) -> Iterator[str]:
    for line in certificate.headlines:
        yield (
            f"{line.mode} policy, rate {line.rate:g}: attacked eps {_eps(line.attacked_eps)}, "
            f"certified eps {_eps(line.certified_eps)} (every adversary), "
            f"{_eps(line.certified_eps_attacks)} (the battery)"
            + ("" if line.reason is None else f"; {line.reason}")
        )
    for flag in certificate.flags:
        yield f"{flag.level}: {flag.message}"
    for refusal in certificate.refusals:
        yield f"not covered: {refusal.what}: {refusal.reason}"
    for decision in certificate.requirements:
        colour = COLOURS[decision.verdict]
        yield f"[{colour}]{decision.verdict}[/{colour}] {decision.text}: {decision.why}"
    if not certificate.requirements:
        yield "no requirement was given, so nothing was decided"
    yield f"{certificate.seconds:.0f} s"


def _eps(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
