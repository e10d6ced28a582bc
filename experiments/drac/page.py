"""The reproduction as a page and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from experiments.drac.claims import Claim, claims
from experiments.drac.methods import ROWS
from experiments.drac.pictures import LEGEND, picture_of
from experiments.drac.tables import TITLES, sets_table, violations_table
from experiments.harness.finding import MARKS
from experiments.harness.pages import claims_table, lead, missing, run_facts
from experiments.harness.records import Record
from experiments.harness.reproduce import States
from experiments.harness.resampling import UNDECIDED, draws
from safer_gym.conformance.figures.svg import standalone
from safer_gym.conformance.files import write_atomically
from safer_gym.conformance.report.certificate.markdown import table
from safer_gym.conformance.report.certificate.tables import Table
from safer_gym.conformance.report.templates import fill, inserted
from safer_gym.wrappers.tasks import TASKS

PAGE, TEXT = "index.html", "README.md"
TITLE = "DRAC: return and violations under disturbances"
READING = (
    "The paper's own numbers are not public, so only what it claims can be tried. Every policy is "
    "the last of its training, chosen by nothing, and acts by its mode. Adversaries use the whole "
    "box of disturbances. “Safety” and “performance” are DRAC's own two adversaries, which every "
    "policy meets; “best response” is the worse of two adversaries that learned against the very "
    "policy of the row, one minimising h and one its return; “bang-bang” is the worst of four that "
    "always push with all they have (random corners, one held for an episode, each end). Of "
    "several the worst of each number counts. Shares and returns are means over seeds, the lowest "
    "h is that of all seeds: how deep a violation is stands beside how often there is one. RAC and "
    "RSAC are DRAC with parts left out, SAC-Lag pays for cost = 1[h < 0], SAC sees the reward "
    "alone. The shield is a switch at run time from the task policy to the safety policy; it is a "
    "later practice of the first author's and not the paper's, so both rows are shown. Comparisons "
    "of methods are tried on draws, too. " + UNDECIDED
)


def write_page(
    folder: Path, records: Sequence[Record], tasks: Sequence[str], states: States
) -> Path:
    """Write page, Markdown and pictures into a folder, and return the page's path.

    Raises:
        OSError: a file could not be written; the file of that name is as it was.
    """
    shown = [r for r in records if r.task in tasks]
    found = claims(shown, tasks, draws(shown))
    pictures = {}
    for task in tasks:
        svg = _picture(shown, task)
        if svg:
            pictures[task] = f"sets-{task}.svg"
            write_atomically(folder / pictures[task], standalone(svg))
    write_atomically(folder / TEXT, "\n".join(_lines(shown, tasks, found, states, pictures)) + "\n")
    write_atomically(folder / PAGE, _page(shown, tasks, found, states))
    return folder / PAGE


def _title(task: str) -> str:
    return TASKS[task].title


def _lead(records: Sequence[Record], found: Sequence[Claim]) -> str:
    return lead(len(records), found, "world")


def _picture(records: Sequence[Record], task: str) -> str:
    try:
        return picture_of(records, task, ROWS)
    except ModuleNotFoundError:  # matplotlib; the page says so
        return ""


def _tables(records: Sequence[Record], task: str) -> list[tuple[str, Table]]:
    sets = sets_table(records, task)
    own = [(TITLES["violations"], violations_table(records, task))]
    return own if sets is None else [*own, (TITLES["sets"], sets)]


def _page(
    records: Sequence[Record], tasks: Sequence[str], found: Sequence[Claim], states: States
) -> str:
    by_text: dict[str, dict[str, Any]] = {}
    for claim in found:
        by_text.setdefault(claim.text, {})[claim.task] = claim.ours
    return fill(
        "drac.html",
        "experiments.drac.templates",
        title=TITLE,
        lead=" ".join([_lead(records, found), *missing(states, _title)]),
        reading=READING,
        legend=LEGEND,
        signs=MARKS,
        worlds={task: TASKS[task].title for task in tasks},
        claims=by_text,
        tasks=[
            {
                "name": TASKS[task].title,
                "tables": [{"title": t, "content": c} for t, c in _tables(records, task)],
                "picture": inserted(partial(picture_of, records, task, ROWS)),
            }
            for task in tasks
        ],
        runs=[run_facts(record, _title) for record in records],
    )


def _lines(
    records: Sequence[Record],
    tasks: Sequence[str],
    found: Sequence[Claim],
    states: States,
    pictures: dict[str, str],
) -> Iterator[str]:
    made_by = "Made by `python -m experiments reproduce --paper drac`."
    yield f"# {TITLE}\n\n{_lead(records, found)} {made_by}\n\n{READING}\n"
    yield from (f"{line}\n" for line in missing(states, _title))
    tried = claims_table(found, "world", _title)
    if tried.rows:
        yield f"## The paper's claims\n\n{table(tried)}\n"
    for task in (t for t in tasks if any(r.task == t for r in records)):
        yield f"## {TASKS[task].title}\n"
        for title, content in _tables(records, task):
            yield f"{title}.\n\n{table(content)}\n"
        if task in pictures:
            yield f"![Safe sets and trajectories]({pictures[task]})\n\n{LEGEND}\n"
