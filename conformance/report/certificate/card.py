"""The certificate as a model card: Markdown below metadata in YAML, as model hubs read it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from safer_gym.conformance.certificate.view import (
    Data,
    battery_of,
    checked,
    every_of,
    modes_of,
    policy_name,
    rows_of,
)
from safer_gym.conformance.formatting import radius
from safer_gym.conformance.report.certificate.annex import INTRODUCTION, annex_tables
from safer_gym.conformance.report.certificate.markdown import SIGNS, plain, table
from safer_gym.conformance.report.certificate.record import facts
from safer_gym.conformance.report.certificate.sentences import (
    EVIDENCE,
    capital,
    confidence,
    headline_words,
    lead,
    moves,
    not_said,
    policy_in,
    said,
)
from safer_gym.conformance.report.certificate.tables import bounds_table

TAGS = ("reinforcement-learning", "safe-reinforcement-learning", "adversarial-robustness")


def render_card(
    certificate: Any, *, name: str = "", licence: str = "", library: str = "", annex: bool = False
) -> str:
    """The whole text.

    Args:
        certificate: its JSON dict.
        name: what to call the model; the policy's name by default.
        licence: the Hub's word for it, such as "mit".
        library: what loads the model, such as "stable-baselines3".
        annex: add what assessors ask, see `annex`.

    Raises:
        ValueError: it is no certificate.
    """
    data = checked(certificate)
    name = " ".join(name.split()) or policy_name(data)
    lines = ["---", *_metadata(data, name, licence, library), "---", "", *_body(data, name)]
    return "\n".join([*lines, *(_annex(data) if annex else ())]) + "\n"


def _metadata(data: Data, name: str, licence: str, library: str) -> Iterator[str]:
    """YAML in which each value is written as JSON, see `_yaml`."""
    environment = data["environment"]["id"]
    result = {
        "task": {"type": "reinforcement-learning", "name": "reinforcement-learning"},
        "dataset": {"name": environment, "type": _word(environment)},
        "metrics": list(_metrics(data)),
    }
    values = {
        "license": licence,
        "library_name": library,
        "pipeline_tag": "reinforcement-learning",
        "tags": [*TAGS, "safer-gym", _word(environment)],
        "model-index": [{"name": name, "results": [result]}],
    }
    for key, value in values.items():
        if value:
            yield f"{key}: {_yaml(value)}"


def _metrics(data: Data) -> Iterator[dict[str, Any]]:
    """Means without an attack, then the ends of the worst case at each radius."""
    benign = data["benign"]
    if benign and benign["costs"]:
        for kind, key in (("mean_reward", "returns"), ("mean_cost", "costs")):
            values = np.asarray(benign[key])
            name = f"{kind.replace('_', ' ')} without an attack"
            yield {
                "type": kind,
                "value": f"{values.mean():.2f} +/- {values.std():.2f}",
                "name": name,
            }
    what = f"P(cost > {data['limit']:g})"
    for mode in modes_of(data):
        for row in rows_of(data, mode):
            where = f"at eps {radius(row['eps'])}, {mode} policy, {confidence(data)}"
            ends, every = row["rate"], every_of(row["rate"])
            found = {"at least": ends["lower"]["value"], "at most, battery": _under(ends)}
            found["at most, any adversary"] = None if every is None else every["value"]
            for side, value in found.items():
                if value is not None:
                    kind = f"violation_rate_{_word(side.replace(',', '')).replace('-', '_')}"
                    yield {"type": kind, "value": value, "name": f"{what} {side}, {where}"}


def _under(ends: Data) -> float | None:
    under = ends["upper_attacks"]
    return None if under["vacuous"] else under["value"]


def _body(data: Data, name: str) -> Iterator[str]:
    yield f"# {plain(name)}\n"
    yield f"{plain(lead(data))}\n"
    for r in data["requirements"]:
        yield f"- {SIGNS[r['verdict']]} **{plain(r['text'])}**: {r['verdict']}. {plain(r['why'])}"
    for flag in data["flags"]:
        yield f"- ⚠️ {plain(flag['name'].replace('_', ' '))}: {plain(flag['message'])}"
    yield "\n## Certificate\n"
    yield f"- SHA-256 of the certificate: `{data.get('content_hash') or 'none'}`"
    yield f"- SHA-256 of the policy: `{data['policy']['digest']}`"
    signed = "signed" if data.get("signature") else "not signed"
    yield f"- The certificate is {signed}. `safer-gym verify certificate.json` checks its hash,"
    yield "  its signature, and that every bound follows from the episodes it records."
    for mode in modes_of(data):
        yield f"\n### {capital(policy_in(data, mode))}\n"
        figures = headline_words(data, mode)
        yield from (f"- {name}: **{figure}** ({meaning})" for figure, name, meaning in figures)
        for metric in ("rate", "mean"):
            yield "\n" + table(bounds_table(data, mode, metric))
    yield f"\nAll bounds hold together with {confidence(data)}. Kinds of evidence:\n"
    yield from (f"- *{kind}*: {plain(meaning)}" for kind, meaning in EVIDENCE)
    yield from _list("What the certificate says", said(data))
    yield "\n## Threat model\n"
    yield plain(moves(data)) + "\n"
    yield f"Attacks of the battery: {plain(', '.join(battery_of(data)) or 'none')}."
    yield from _list("Limits", not_said(data))
    yield "\n## Where this comes from\n"
    yield from (f"- {key}: {plain(value)}" for key, value, _ in facts(data))


def _annex(data: Data) -> Iterator[str]:
    yield "\n## Annex for assessors\n"
    yield plain(INTRODUCTION)
    for title, content in annex_tables(data):
        yield f"\n### {plain(title)}\n"
        yield table(content)


def _list(title: str, sentences: Iterable[str]) -> Iterator[str]:
    yield f"\n## {title}\n"
    yield from (f"- {plain(sentence)}" for sentence in sentences)


def _yaml(value: Any) -> str:
    """JSON as YAML includes it: JSON's escapes of characters beyond 16 bits are two, YAML's one.

    >>> _yaml({"name": "caf\u00e9 \U0001f916"})
    '{"name": "caf\\\\u00e9 \\\\U0001f916"}'
    """
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[^ -~]", lambda found: _escape(ord(found[0])), text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 2**16 else f"\\U{code:08x}"


def _word(text: str) -> str:
    """A text as the Hub takes it for a tag or a type, never empty."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-") or "unnamed"
