"""The page: everything inline, no script, no request to anywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import Any

from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.report.charts import attack_charts, learning_charts, legend
from safer_gym.conformance.report.content import Content, Subject
from safer_gym.conformance.report.maps import maps
from safer_gym.conformance.report.sentences import ATTACK_WORDS, headline


def render_page(content: Content, film: bytes | None = None) -> str:
    """The whole HTML document; `film` is a GIF to put into it."""
    body = "".join(_sections(content, film))
    style = (files("safer_gym.conformance.report") / "style.css").read_text()
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(content.title)}</title><style>\n{style}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _sections(content: Content, film: bytes | None) -> Iterable[str]:
    yield f'<h1>{escape(content.title)}</h1><p class="lead">{escape(headline(content))}</p>'
    if content.note:
        yield f'<p class="note">{escape(content.note)}</p>'
    if film is not None:
        yield _film(content, film)
    yield (
        "<h2>Under attack</h2><p>Mean over episodes with its standard error. At radius 0 nobody "
        "tampers with the observations.</p>"
    )
    yield legend(content) + f'<div class="grid">{_figures(attack_charts(content))}</div>'
    yield from _maps(content)
    yield f"<h2>All numbers</h2>{_table(content)}"
    yield from _learning(content)
    yield _meanings(content)
    yield _provenance(content)


def _figures(charts: Iterable[str]) -> str:
    return "".join(f"<figure>{chart}</figure>" for chart in charts)


def _film(content: Content, film: bytes) -> str:
    data = base64.b64encode(film).decode()
    return (
        f'<figure><img alt="Film of {escape(content.task)}, seen from above" '
        f'src="data:image/gif;base64,{data}"><figcaption>The same start for all. The observation '
        "is tampered with; the world is not.</figcaption></figure>"
    )


def _maps(content: Content) -> Iterable[str]:
    found = maps(content)
    if not found:
        return
    yield (
        "<h2>Seen from above</h2><p>The agent should follow the dotted circle and stay between "
        "the dashed lines; every step beyond them costs 1 and is drawn thick. The attacks are "
        "those of the largest radius.</p>"
        if content.geometry is not None and content.geometry.circle_radius is not None
        else "<h2>Seen from above</h2><p>Steps with a cost are drawn thick.</p>"
    )
    for name, captioned in found:
        figures = "".join(
            f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
            for caption, svg in captioned
        )
        yield f'<h3>{escape(name)}</h3><div class="maps">{figures}</div>'


def _table(content: Content) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("policy", "attack", "ε", *_QUANTITIES))
    rows = "".join(
        _row(subject, outcome, i == 0, content.cost_limit)
        for subject in content.subjects
        for i, outcome in enumerate(subject.outcomes)
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"</div><p><small>Mean ± standard deviation over episodes. Red: mean cost above the limit "
        f"of {content.cost_limit:g}.</small></p>"
    )


_QUANTITIES = ("reward", "cost", "worst cost", "episodes")


def _row(subject: Subject, o: Outcomes, first: bool, cost_limit: float) -> str:
    over = ' class="over"' if o.mean_cost > cost_limit else ""
    return (
        f"<tr{' class=' + chr(34) + 'first' + chr(34) if first else ''}>"
        f"<td>{escape(subject.name) if first else ''}</td><td>{escape(o.attack)}</td>"
        f"<td>{o.eps:g}</td><td>{o.mean_return:.1f} ± {o.returns.std():.1f}</td>"
        f"<td{over}>{o.mean_cost:.2f} ± {o.costs.std():.2f}</td><td>{o.costs.max():.4g}</td>"
        f"<td>{len(o.costs)}</td></tr>"
    )


def _learning(content: Content) -> Iterable[str]:
    for i, subject in enumerate(content.subjects):
        if subject.curve:
            charts = _figures(learning_charts(subject, content.cost_limit, i))
            yield f'<h2>How {escape(subject.name)} learnt</h2><div class="grid">{charts}</div>'


def _meanings(content: Content) -> str:
    natural = {o.attack for s in content.subjects for o in s.outcomes if o.eps == 0.0}
    items = "".join(
        f"<dt>{escape(title)}</dt><dd>{escape(words)}</dd>"
        for attack, (title, words) in ATTACK_WORDS.items()
        if attack in content.attacks() or attack in natural
    )
    return f"<h2>What the attacks are</h2><dl>{items}</dl>"


def _provenance(content: Content) -> str:
    made = "".join(_made(subject) for subject in content.subjects)
    return f"<h2>Where the numbers come from</h2><dl>{_pairs(content.provenance)}</dl>{made}"


def _made(subject: Subject) -> str:
    if not subject.record:
        return ""
    return (
        f"<details><summary>How {escape(subject.name)} was made</summary>"
        f"<dl>{_pairs(subject.record)}</dl></details>"
    )


def _pairs(values: dict[str, Any]) -> str:
    return "".join(
        f"<dt>{escape(key.replace('_', ' '))}</dt><dd>{_value(value)}</dd>"
        for key, value in values.items()
        if value not in ("", None)
    )


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{escape(str(k))} {_inline(v)}" for k, v in value.items())
    return f"<code>{escape(str(value))}</code>" if isinstance(value, str) else _inline(value)


def _inline(value: Any) -> str:
    return escape(value if isinstance(value, str) else json.dumps(value))
