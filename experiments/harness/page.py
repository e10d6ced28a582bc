"""The page: everything inline, no script, no request to anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import NamedTuple

from experiments.harness.page_parts import AIM, aim_table, learning_curves
from experiments.harness.records import STRONGEST, Record
from experiments.harness.runs import differing, effort, run_row
from experiments.harness.summary import WORST, Summary
from experiments.safer.claims import Claim, Finding, claims
from experiments.safer.curves import panels
from experiments.safer.figure import figure, key
from experiments.safer.paper import Published, paper_steps
from experiments.safer.standing import standings
from experiments.safer.tables import (
    COLUMNS,
    METRICS,
    NOT_MET,
    Block,
    States,
    attacks_of,
    blocks_of,
    has_run,
    over,
    strongest_names,
    words,
)
from safer_gym.wrappers.tasks import COST_LIMIT, TASKS

TITLES = {
    5: "Natural performance, under MC and MR, and their average",
    6: "ADV-EM-CVPO: attacking the samples of the replay buffer",
    7: "The bound of the attacked KL",
    8: "Parts of the robust M-step left out",
}
READING = (
    "Deterministic policies at the paper's ε (linf, in units of the observation). Mean ± deviation "
    "over the pooled episodes; in brackets the deviation of the seeds' means. MC and MR climb the "
    "agent's own critics. The strongest of the battery is the attack, of those of certify's "
    "battery (critics and an adversary learned apart from the agent, iterated MC, MAD, random "
    "search, restarts), with the highest mean cost. “Best” is each run's best policy by "
    "reward / 20 - cost, the rule of the public code, chosen on other episodes; “last” is the one "
    f"that training ended with. Red: a mean cost above the limit of {COST_LIMIT:g}. SAFER learns "
    "from benign data alone; SAFER-attacked is ours and trains under attack; SAFER-paper, from "
    "which Tables 7 and 8 start, has the paper's own robust M-step. Training cost is the sum of "
    "the costs of all environment steps, time that of training on one core; both are means over "
    "seeds."
)
MARKS = {"holds": "✓", "does not hold": "✕", "not run": "–", "no numbers": "–"}


class Shown(NamedTuple):
    """What a page is about."""

    records: Sequence[Record]
    tables: Sequence[int]
    tasks: Sequence[str]
    states: States


def render_page(shown: Shown) -> str:
    """The whole HTML document."""
    style = (files("safer_gym.conformance.report") / "style.css").read_text()
    style += (files("experiments.harness") / "reproduction.css").read_text()
    title = "The paper's tables, beside ours"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>\n{style}</style></head>"
        f"<body><main><h1>{title}</h1>{''.join(_sections(shown))}</main></body></html>\n"
    )


def _sections(shown: Shown) -> Iterator[str]:
    found = claims(shown.records, shown.tasks)
    yield f'<p class="lead">{escape(lead(shown, found))}</p><p>{escape(READING)}</p>'
    yield f"<h2>{AIM}</h2>{aim_table(standings(shown.records, shown.tasks))}"
    yield f"<h2>The paper's claims</h2>{_claims(found)}"
    for task in shown.tasks:
        yield f"<h2>{TASKS[task].title}, ε = {TASKS[task].eps:g}</h2>"
        for table in shown.tables:
            blocks = blocks_of(shown.records, table, task, shown.states)
            if blocks:
                yield _titled(f"Table {table}. {TITLES[table]}", blocks)
        yield f"<h3>Learning curves</h3>{learning_curves(panels(shown.records, task))}"
        yield _figure(shown.records, task)
    yield f"<h2>Every run</h2>{_runs(shown)}"


def lead(shown: Shown, found: Sequence[Claim]) -> str:
    """How much is known, in a sentence."""
    runs = [record for record in shown.records if record.task in shown.tasks]
    tried = [claim for claim in found if claim.ours.verdict != "not run"]
    chosen, last = (
        sum(finding.verdict == "holds" for finding in findings)
        for findings in ([c.ours for c in tried], [c.last for c in tried])
    )
    return (
        f"{len(runs)} runs so far. Of {len(found)} claims (one for each task) {len(tried)} could "
        f"be tried; {chosen} hold by the chosen policies, {last} by the last ones."
    )


def _claims(found: Sequence[Claim]) -> str:
    tasks = list(dict.fromkeys(claim.task for claim in found))
    grouped: dict[str, dict[str, Claim]] = {}
    for claim in found:
        grouped.setdefault(claim.text, {})[claim.task] = claim
    head = "".join(f"<th>{TASKS[task].title}</th>" for task in tasks)
    rows = "".join(
        f"<tr><td>{escape(text)}</td>{''.join(_tried(group.get(task)) for task in tasks)}</tr>"
        for text, group in grouped.items()
    )
    return (
        f'<div class="scroll"><table class="claims"><thead><tr><th>claim</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div><p><small>By the chosen policies; below: the same "
        "test of the last ones and of the paper's own numbers.</small></p>"
    )


def _tried(claim: Claim | None) -> str:
    """A claim's cell; the paper does not sweep every task."""
    if claim is None:
        return "<td></td>"
    kind = claim.ours.verdict.replace(" ", "-")
    others = "".join(
        f"<small><em>{whose}: {_mark(found)} {found.verdict}, {escape(found.numbers)}</em></small>"
        for whose, found in (("last", claim.last), ("paper", claim.paper))
    )
    return (
        f'<td class="{kind}"><strong>{_mark(claim.ours)} {claim.ours.verdict}</strong>'
        f"<small>{escape(claim.ours.numbers)}</small>{others}</td>"
    )


def _mark(finding: Finding) -> str:
    return f'<span aria-hidden="true">{MARKS[finding.verdict]}</span>'


def _titled(title: str, blocks: Sequence[Block]) -> str:
    """A table under its title; folded where it would hold the paper's numbers alone."""
    if has_run(blocks):
        return f"<h3>{title}</h3>{_table(blocks)}"
    states = ", ".join(dict.fromkeys(b.state for b in blocks if not b.is_reference))
    empty = f'<span class="empty">{escape(states)}</span>'
    return f"<details><summary>{title}: {empty}</summary>{_table(blocks)}</details>"


def _table(blocks: Sequence[Block]) -> str:
    attacks = attacks_of(blocks[0].table)
    names = "".join(f'<th colspan="2">{escape(COLUMNS[attack])}</th>' for attack in attacks)
    metrics = "".join(f"<th>{metric}</th>" for _ in attacks for metric in METRICS)
    rows = "".join(row for block in blocks for row in _rows(block))
    return (
        '<div class="scroll"><table class="ours"><thead>'
        f'<tr><th rowspan="2">method</th><th rowspan="2">policy</th>{names}'
        '<th rowspan="2">environment steps</th><th rowspan="2">training cost</th>'
        '<th rowspan="2">time</th></tr>'
        f"<tr>{metrics}</tr></thead><tbody>{rows}</tbody></table></div>{_warnings(blocks)}"
    )


def _rows(block: Block) -> Iterator[str]:
    attacks = attacks_of(block.table)
    name = f"<td>{escape(block.method)}</td>"
    if block.records:
        seeds = f"<small>seed {block.seeds()}</small>"
        took = "".join(f"<td>{escape(text)}</td>" for text in effort(block))
        yield _row(f'<tr class="first">{name}<td>best {seeds}</td>', block, "best", took)
        yield _row("<tr><td></td><td>last</td>", block, "last", "<td></td>" * 3)
    else:
        empty = f'<td class="empty" colspan="{2 * len(attacks) + 3}">{escape(block.state)}</td>'
        yield f'<tr class="first">{name}<td>ours</td>{empty}</tr>'
    cells = "".join(
        _cell(block.paper(attack, metric), metric, "") for attack in attacks for metric in METRICS
    )
    steps = f"≈ {paper_steps(block.task, block.method) / 1e6:g} M"
    yield f'<tr class="paper"><td></td><td>paper</td>{cells}<td>{steps}</td><td></td><td></td></tr>'


def _row(start: str, block: Block, policy: str, end: str) -> str:
    cells = "".join(
        _cell(
            block.ours(attack, metric, policy),
            metric,
            _by(block, attack, metric, policy),
            NOT_MET if policy == "best" or attack != STRONGEST else "",
        )
        for attack in attacks_of(block.table)
        for metric in METRICS
    )
    return f"{start}{cells}{end}</tr>"


def _cell(
    number: Summary | Published | None, metric: str, after: str = "", missing: str = ""
) -> str:
    if number is None:
        return f'<td class="empty">{missing}</td>' if missing else "<td></td>"
    text, _, seeds = words(number).partition(" (")
    spread = f"<small>{seeds.rstrip(')')}</small>" if seeds else ""
    red = ' class="over"' if over(number, metric) else ""
    return f"<td{red}>{text}{spread}{after}</td>"


def _by(block: Block, attack: str, metric: str, policy: str) -> str:
    """What a column does not say: which attack it was."""
    if metric == "reward" or policy == "last" or attack not in (STRONGEST, WORST):
        return ""
    names = escape(strongest_names(block.records))
    return f'<small class="by">{names}</small>' if attack == STRONGEST else ""


def _warnings(blocks: Sequence[Block]) -> str:
    lines = [
        f"{block.method}: its seeds differ in {', '.join(differing(block.records))}, too."
        for block in blocks
        if differing(block.records)
    ]
    return "".join(f'<p class="note">{escape(line)}</p>' for line in lines)


def _figure(records: Sequence[Record], task: str) -> str:
    drawn = figure(records, task)
    inside = drawn or '<p class="empty">No run has recorded its cumulative cost yet.</p>'
    return (
        f"<h3>Figure 2. Reward against cumulative cost</h3>{key(records, task)}"
        f"<figure>{inside}<figcaption>A line for each seed. The reward is the mean of the latest "
        "20 training episodes, exploration and all; the cost is that of every environment step so "
        "far. Until the radius of its attack grows, an attacked agent learns as an unattacked one "
        "of the same seed does: such lines begin as one.</figcaption></figure>"
    )


def _runs(shown: Shown) -> str:
    parts = []
    for record in shown.records:
        if record.task in shown.tasks:
            row = run_row(record)
            pairs = "".join(
                f"<dt>{escape(name.replace('_', ' '))}</dt><dd><code>{escape(str(value))}</code>"
                "</dd>"
                for name, value in row.items()
                if value is not None
            )
            title = f"{TASKS[record.task].title}, {record.method}, seed {record.seed}"
            parts.append(f"<details><summary>{escape(title)}</summary><dl>{pairs}</dl></details>")
    return "".join(parts) or "<p>None yet.</p>"
