"""The same in Markdown, short: for a repository's page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiments.harness.finding import MARKS
from experiments.safer.aim import AIM, AIM_READING, AIMS, goals_of
from experiments.safer.claims import Claim
from experiments.safer.figure import key
from experiments.safer.intervals import READING as INTERVALS_READING
from experiments.safer.intervals import TITLE as INTERVALS
from experiments.safer.intervals import interval_table
from experiments.safer.page import CURVES, READING, TITLES, Shown, lead
from experiments.safer.runs import effort
from experiments.safer.standing import Standing, standings
from experiments.safer.tables import (
    COLUMNS,
    METRICS,
    NOT_RUN,
    Block,
    attacks_of,
    blocks_of,
    cells_of,
    has_run,
)
from safer_gym.conformance.report.certificate.markdown import table
from safer_gym.conformance.report.certificate.tables import Table
from safer_gym.wrappers.tasks import TASKS

KEY = ", ".join(f"{item.mark} {item.method}" for item in key([], ""))
"""The figure's marks, which stand in its page beside it."""


def render_markdown(shown: Shown, figures: Sequence[str] = ()) -> str:
    """The whole text.

    Args:
        figures: the pictures that lie beside it, by `figure_name` and `curves_name`.
    """
    return "\n".join(_lines(shown, figures)) + "\n"


def _lines(shown: Shown, figures: Sequence[str]) -> Iterator[str]:
    found = shown.claims
    made_by = "Made by `python -m experiments reproduce`."
    yield f"# Results\n\n{lead(shown, found)} {made_by}\n\n{READING}\n"
    yield f"{AIM}\n\n{table(_aims(standings(shown.records, shown.tasks)))}\n\n{AIM_READING}\n"
    yield f"## The paper's claims\n\n{_claims(found)}\n"
    for task in shown.tasks:
        yield f"## {TASKS[task].title}, ε = {TASKS[task].eps:g}\n"
        for number in shown.tables:
            blocks = blocks_of(shown.records, number, task, shown.states)
            title = f"Table {number}. {TITLES[number]}"
            if has_run(blocks):
                yield f"{title}\n\n{table(_table(blocks))}\n"
            elif blocks:
                yield f"{title}: {NOT_RUN}.\n"
        name = TASKS[task].title
        intervals = interval_table(shown.intervals[task])
        if intervals:
            yield f"{INTERVALS}\n\n{table(intervals)}\n\n{INTERVALS_READING}\n"
        if intervals_name(task) in figures:
            yield f"![Interquartile means on {name}]({intervals_name(task)})\n"
        if curves_name(task) in figures:
            yield f"Learning curves. {CURVES}\n"
            yield f"![Learning curves on {name}]({curves_name(task)})\n"
        if figure_name(task) in figures:
            yield f"Figure 2. Highest reward so far against cumulative cost ({KEY})\n"
            yield f"![Reward against cumulative cost on {name}]({figure_name(task)})\n"


def _claims(found: Sequence[Claim]) -> str:
    """Those that could be tried; the page has the others, too."""
    rows = [
        (
            c.text,
            TASKS[c.task].title,
            *(f"{MARKS[f.verdict]} {f.verdict}: {f.numbers}" for f in (c.ours, c.last, c.paper)),
        )
        for c in found
        if c.ours.verdict != "not run"
    ]
    head = ("claim", "task", "chosen policies", "last policies", "the paper's own numbers")
    tried = table(Table(head, rows))
    return f"{tried}\n\n{len(found) - len(rows)} more cannot be tried yet; the page says why."


def figure_name(task: str) -> str:
    """The file of a task's Figure 2."""
    return f"figure2-{task}.svg"


def intervals_name(task: str) -> str:
    """The file of a task's interquartile means."""
    return f"intervals-{task}.svg"


def curves_name(task: str) -> str:
    """The file of a task's learning curves."""
    return f"curves-{task}.svg"


def _aims(rows: Sequence[Standing]) -> Table:
    head = ["task"]
    for name, goal in AIMS.items():
        head += [name, goal]
    return Table(tuple(head), [(_named(row), *_goals(row)) for row in rows])


def _named(row: Standing) -> str:
    name = f"{TASKS[row.task].title}, {row.method}"
    return f"{name} (seed {row.seeds})" if row.seeds else name


def _goals(row: Standing) -> list[str]:
    return [text for goal in goals_of(row) for text in (goal.ours, goal.bound)]


def _table(blocks: Sequence[Block]) -> Table:
    attacks = attacks_of(blocks[0].table)
    names = [f"{COLUMNS[attack]}, {metric}" for attack in attacks for metric in METRICS]
    head = ("method", "policy", *names, "steps", "training cost", "time")
    return Table(head, [row for block in blocks for row in _rows(block)])


def _rows(block: Block) -> Iterator[tuple[str, ...]]:
    empty = ("", "", "")
    if block.records:
        yield (block.method, f"best, seed {block.seeds()}", *_cells(block, "best"), *effort(block))
        yield ("", "last", *_cells(block, "last"), *empty)
    else:
        columns = len(attacks_of(block.table)) * len(METRICS)
        yield (block.method, block.state, *[""] * columns, *empty)
    yield ("", "paper", *_cells(block, "paper"), *empty)


def _cells(block: Block, policy: str) -> list[str]:
    return [cell.plain() for cell in cells_of(block, policy)]
