"""The certificate as a page: everything inline, no script, no request to anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files
from typing import Any

from safer_gym.conformance.report.certificate.columns import (
    columns_of,
    legend,
    sandwich_chart,
    says_something,
)
from safer_gym.conformance.report.certificate.episodes import episode_card
from safer_gym.conformance.report.certificate.histograms import cost_table
from safer_gym.conformance.report.certificate.record import record_section
from safer_gym.conformance.report.certificate.sentences import (
    EVIDENCE,
    confidence,
    headline_words,
    lead,
    not_said,
    policy_in,
    said,
)
from safer_gym.conformance.report.certificate.tables import (
    Table,
    allocation_summary,
    allocation_table,
    attacks_table,
    bounds_table,
    every_table,
    promises_table,
)
from safer_gym.conformance.report.certificate.view import (
    Data,
    checked,
    modes_of,
    policy_name,
    rows_of,
)

_SAYS = "What this certificate says"
SIGNS = {"PASS": "✓", "FAIL": "✕", "INCONCLUSIVE": "?"}

PROMISED = (
    "What each composition of benign episodes seemed to give, by search episodes: no bounds. The "
    "best was chosen by this, and then bounded with fresh episodes."
)


def render_page(certificate: Any) -> str:
    """The whole HTML document of a certificate's JSON.

    Raises:
        ValueError: it is no certificate.
    """
    data = checked(certificate)
    style = (files("safer_gym.conformance.report") / "style.css").read_text()
    style += (files("safer_gym.conformance.report.certificate") / "certificate.css").read_text()
    title = f"Certificate: {policy_name(data)} on {data['environment']['id']}"
    # A number and its unit stay on one line.
    body = "".join(_sections(data)).replace(" %", "\u00a0%")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>\n{style}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _sections(data: Data) -> Iterator[str]:
    yield _head(data)
    yield from _requirements(data)
    yield from _flags(data)
    yield from _headlines(data)
    yield from _sandwiches(data)
    yield _list(_SAYS, said(data), f"<p>All of this together holds with {confidence(data)}.</p>")
    yield _list("What it does not say", not_said(data))
    yield from _episodes(data)
    yield from _costs(data)
    yield from _numbers(data)
    yield record_section(data)


def _head(data: Data) -> str:
    verdict = data["verdict"] if data["requirements"] else ""
    badge = f'<p class="verdict {verdict.lower()}">{_sign(verdict)}{verdict}</p>' if verdict else ""
    return (
        f"<header>{badge}<h1>{escape(policy_name(data))}</h1>"
        f'<p class="where">on {escape(data["environment"]["id"])}, certified '
        f'{escape(data["created"][:10])}</p><p class="lead">{escape(lead(data))}</p></header>'
    )


def _sign(verdict: str) -> str:
    return f'<span aria-hidden="true">{SIGNS[verdict]}</span> '


def _requirements(data: Data) -> Iterator[str]:
    if data["requirements"]:
        items = "".join(
            f'<li class="{r["verdict"].lower()}"><span class="mark">{_sign(r["verdict"])}'
            f"{r['verdict']}</span><div><strong>{escape(r['text'])}</strong>"
            f"<p>{escape(r['why'])}</p></div></li>"
            for r in data["requirements"]
        )
        yield f'<h2>What was required</h2><ul class="requirements">{items}</ul>'


def _flags(data: Data) -> Iterator[str]:
    if data["flags"]:
        items = "".join(
            f'<li class="{flag["level"]}"><strong>{escape(flag["name"].replace("_", " "))}</strong>'
            f" {escape(flag['message'])}</li>"
            for flag in data["flags"]
        )
        yield (
            "<h2>Reasons for doubt</h2><p>Signs that this evaluation may be wrong, or weaker than "
            f'it looks.</p><ul class="flags">{items}</ul>'
        )


def _headlines(data: Data) -> Iterator[str]:
    modes = [(mode, headline_words(data, mode)) for mode in modes_of(data)]
    if any(figures for _, figures in modes):
        yield "<h2>In three figures</h2>"
    for mode, figures in modes:
        if figures:
            items = "".join(
                f'<div><dt>{escape(name)}</dt><dd class="figure">{escape(figure)}</dd>'
                f"<dd>{escape(meaning)}</dd></div>"
                for figure, name, meaning in figures
            )
            yield f'<h3>{_policy(data, mode)}</h3><dl class="figures">{items}</dl>'


def _sandwiches(data: Data) -> Iterator[str]:
    yield (
        "<h2>Worst case by radius</h2><p>What the strongest possible adversary can do lies above "
        f"the red zone, and below the green one where there is one.</p>"
        f"{legend(required=bool(data['requirements']))}"
    )
    for mode in modes_of(data):
        charts = "".join(
            f"<figure>{sandwich_chart(data, mode, metric)}</figure>"
            for metric in ("rate", "mean")
            if metric == "rate" or says_something(columns_of(data, mode, metric))
        )
        yield f'<h3>{_policy(data, mode)}</h3><div class="grid">{charts}</div>'
        yield table(bounds_table(data, mode, "rate"))
        yield _details("The same of the mean cost", table(bounds_table(data, mode, "mean")))
    kinds = "".join(f"<dt>{kind}</dt><dd>{escape(words)}</dd>" for kind, words in EVIDENCE)
    yield f"<details><summary>Three kinds of evidence</summary><dl>{kinds}</dl></details>"


def _episodes(data: Data) -> Iterator[str]:
    if data["episodes_of_note"]:
        cards = "".join(episode_card(e, data) for e in data["episodes_of_note"])
        yield (
            "<h2>The worst episodes</h2><p>Any other is run again by the same command with "
            "<code>--attack</code>, <code>--eps</code> and <code>--index</code>, its place among "
            f"the costs of that attack, instead of <code>--episode</code>.</p>{cards}"
        )


def _costs(data: Data) -> Iterator[str]:
    yield (
        "<h2>Costs of the episodes</h2><p>Every fresh episode that the bounds rest on. The dashed "
        f"line is the limit of {data['limit']:g}; bars grow with the root of the number of "
        "episodes, so that a single one can be seen.</p>"
    )
    for mode in modes_of(data):
        rows = [row for row in rows_of(data, mode) if row["attacks"]]
        for row in reversed(rows):
            shown = " open" if row is rows[-1] else ""
            yield (
                f"<details{shown}><summary>{mode.capitalize()} policy, ε = {row['eps']:g}</summary>"
                f"{cost_table(row, data)}</details>"
            )


def _numbers(data: Data) -> Iterator[str]:
    yield "<h2>All numbers</h2>"
    yield _details("Each attack", table(attacks_table(data), left=3))
    every = every_table(data)
    if every.rows:
        promised = promises_table(data)
        after = f"<p>{PROMISED}</p>{table(promised, left=2)}" if promised.rows else ""
        yield _details("The bounds over every adversary", table(every, left=3) + after)
    delta = table(allocation_summary(data)) + table(allocation_table(data), left=3)
    yield _details(f"Where the error probability of {data['delta']:g} goes", delta)


def _details(title: str, inside: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"


def _list(title: str, sentences: list[str], after: str = "") -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    inside = f'<ul class="said">{items}</ul>{after}' if items else "<p>Nothing could be shown.</p>"
    return f"<h2>{escape(title)}</h2>{inside}"


def _policy(data: Data, mode: str) -> str:
    policy = policy_in(data, mode)
    return escape(policy[:1].upper() + policy[1:])


def table(content: Table, left: int = 1) -> str:
    """An HTML table; the first `left` columns are text, the others numbers."""
    head = "".join(
        f"<th{_side(i, left)}>{escape(name)}</th>" for i, name in enumerate(content.head)
    )
    rows = "".join(f"<tr>{_cells(row, left)}</tr>" for row in content.rows)
    return (
        f'<div class="scroll"><table class="numbers"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cells(cells: Iterable[str], left: int) -> str:
    return "".join(f"<td{_side(i, left)}>{escape(cell)}</td>" for i, cell in enumerate(cells))


def _side(column: int, left: int) -> str:
    return ' class="text"' if column < left else ""
