"""The report as a page."""

from __future__ import annotations

import base64
import json
from typing import Any

from safer_gym.conformance.report.charts import attack_charts, learning_charts
from safer_gym.conformance.report.content import Content
from safer_gym.conformance.report.maps import maps
from safer_gym.conformance.report.sentences import headline, told_by
from safer_gym.conformance.report.templates import fill

Fact = tuple[str, str, bool]
"""Name, value, and whether the value is code."""


def render_page(content: Content, film: bytes | None = None) -> str:
    """The whole HTML document; `film` is a GIF to put into it."""
    return fill(
        "report.html",
        content=content,
        headline=headline(content),
        film=None if film is None else base64.b64encode(film).decode(),
        charts=attack_charts(content),
        maps=maps(content),
        learning=[
            (subject.name, learning_charts(subject, content.cost_limit, i))
            for i, subject in enumerate(content.subjects)
            if subject.curve
        ],
        meanings=_meanings(content),
        provenance=_facts(content.provenance),
        records=[(s.name, _facts(s.record)) for s in content.subjects if s.record],
    )


def _meanings(content: Content) -> list[Fact]:
    """What each attack declares of itself, in the order measured."""
    seen = dict.fromkeys(o.attack for s in content.subjects for o in s.outcomes)
    told = [told_by(attack) for attack in seen]
    return [(each.title, each.words, False) for each in told if each.words]


def _facts(values: dict[str, Any]) -> list[Fact]:
    return [
        (key.replace("_", " "), _value(value), isinstance(value, str))
        for key, value in values.items()
        if value not in ("", None)
    ]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(part)}" for key, part in value.items())
    return _plain(value)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(_worded(value))


def _worded(value: Any) -> Any:
    """JSON's null in a word."""
    if isinstance(value, dict):
        return {key: _worded(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_worded(part) for part in value]
    return "none" if value is None else value
