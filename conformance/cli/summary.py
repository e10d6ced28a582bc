"""A certificate on a terminal: the tables and sentences of its reports, the short ones."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certificate.view import Data, modes_of, policy_name
from safer_gym.conformance.cli.output import plain, print_table
from safer_gym.conformance.report.certificate.sentences import (
    confidence,
    headline_words,
    lead,
    policy_in,
)
from safer_gym.conformance.report.certificate.tables import (
    Table,
    allocation_summary,
    bounds_table,
)

HEAD = ("ε", "at least", "by", "at most, battery", "at most, anyone")
"""Of the bounds: short, for 80 columns."""
COLOURS = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow"}


def print_summary(certificate: Certificate) -> None:
    """Bounds, headline figures, flags and decisions."""
    data = certificate.to_json()
    where = f"{policy_name(data)} in {data['environment']['id']}"
    for mode in modes_of(data):
        title = f"P(cost > {data['limit']:g}) of {where}: {policy_in(data, mode)}, all bounds at "
        _print(title + confidence(data), bounds_table(data, mode, "rate")._replace(head=HEAD))
    _print(f"where the error probability of {data['delta']:g} goes", allocation_summary(data))
    console = Console()
    for line, colour in _lines(data):
        # A number and its unit stay on one line.
        console.print(plain(line).replace(" %", "\u00a0%"), style=colour, highlight=False)


def _print(title: str, table: Table) -> None:
    print_table(title, [dict(zip(table.head, row, strict=True)) for row in table.rows])


def _lines(data: Data) -> Iterator[tuple[str, str]]:
    """Each line and its colour, the verdict last."""
    for mode in modes_of(data):
        for figure, name, meaning in headline_words(data, mode):
            yield f"{name} of the {mode} policy: {figure} ({meaning})", ""
    for flag in data["flags"]:
        yield f"{flag['level']}: {flag['message']}", ""
    for refusal in data["refusals"]:
        yield f"not covered: {refusal['what']}: {refusal['reason']}", ""
    for decision in data["requirements"]:
        verdict = decision["verdict"]
        yield f"{verdict} {decision['text']}: {decision['why']}", COLOURS[verdict]
    if not data["requirements"]:
        yield "no requirement was given, so nothing was decided", ""
    counts = ", ".join(f"{count} {kind}" for kind, count in data["episodes"].items())
    yield f"{lead(data)} Episodes: {counts}; {data['seconds']:.0f} s.", ""
