"""The certificate as Markdown: for a pull request, or for a CI job's summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from safer_gym.conformance.certificate.view import Data, checked, modes_of, policy_name
from safer_gym.conformance.formatting import printable
from safer_gym.conformance.report.certificate.record import facts
from safer_gym.conformance.report.certificate.sentences import (
    capital,
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
    bounds_table,
    model_table,
)

SIGNS = {"PASS": "✅", "FAIL": "❌", "INCONCLUSIVE": "❔"}
SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"})


def render_markdown(certificate: Any) -> str:
    """The whole text.

    Raises:
        ValueError: it is no certificate.
    """
    return "\n".join(_lines(checked(certificate))) + "\n"


def _lines(data: Data) -> Iterator[str]:
    sign = f"{SIGNS[data['verdict']]} " if data["requirements"] else ""
    yield f"# {sign}{plain(policy_name(data))} on {plain(data['environment']['id'])}\n"
    yield f"{plain(lead(data))}\n"
    for r in data["requirements"]:
        yield f"- {SIGNS[r['verdict']]} **{plain(r['text'])}**: {r['verdict']}. {plain(r['why'])}"
    for flag in data["flags"]:
        yield f"- ⚠️ {plain(flag['name'].replace('_', ' '))}: {plain(flag['message'])}"
    for mode in modes_of(data):
        yield f"\n## {capital(policy_in(data, mode))}\n"
        figures = headline_words(data, mode)
        yield from (f"- {name}: **{figure}** ({meaning})" for figure, name, meaning in figures)
        yield "\n" + table(bounds_table(data, mode, "rate"))
    yield from _list("What this certificate says", said(data))
    yield f"\nAll of this together holds with {confidence(data)}."
    if (tested := model_table(data)).rows:
        yield f"\n## Tests of the shield's model\n\n{table(tested)}"
    yield from _list("What it does not say", not_said(data))
    yield f"\n<details><summary>Where the error probability of {data['delta']:g} goes</summary>\n"
    yield table(allocation_summary(data))
    yield "\n" + table(allocation_table(data))
    yield "\n</details>\n<details><summary>Where this comes from</summary>\n"
    yield from (f"- {name}: {_value(value, code)}" for name, value, code in facts(data))
    yield "\n</details>"


def table(content: Table) -> str:
    """A table of GitHub's kind."""
    lines = [content.head, ("---",) * len(content.head), *content.rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def plain(text: str) -> str:
    """Text without meaning to Markdown or HTML, on one line.

    >>> plain("a|b <script>")
    'a\\\\|b \\\\<script\\\\>'
    """
    return printable(" ".join(text.translate(SPECIAL).split()))


def _cell(text: str) -> str:
    return text if text == "---" else plain(text)


def _value(value: str, code: bool) -> str:
    if not code:
        return plain(value)
    return f"`{printable(' '.join(value.split())).replace('`', chr(39))}`"


def _list(title: str, sentences: Iterable[str]) -> Iterator[str]:
    yield f"\n## {title}\n"
    yield from (f"- {plain(sentence)}" for sentence in sentences)
