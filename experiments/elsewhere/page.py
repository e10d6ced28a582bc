"""The tables, claims and curves as a page and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from experiments.elsewhere.claims import Claim, claims
from experiments.elsewhere.environments import PLACES
from experiments.elsewhere.tables import curves_of, table_of
from experiments.harness.pages import claims_table, lead, missing, run_facts
from experiments.harness.records import Record
from experiments.harness.reproduce import States
from experiments.harness.resampling import UNDECIDED, draws
from safer_gym.conformance.figures.svg import standalone
from safer_gym.conformance.files import write_atomically
from safer_gym.conformance.report.certificate.markdown import table
from safer_gym.conformance.report.templates import fill, inserted

PAGE, TEXT = "index.html", "README.md"
TITLE = "Constructor defaults away from the Bullet tasks"
READING = (
    "Every algorithm has its constructor's defaults and four environments; nothing is tuned for a "
    "task. Numbers are reward / cost of an episode. The policy is the last of its training and "
    "acts by its mode; attacks have a radius of 0.05 (linf, raw units) and the policy's own "
    "critics. The cost limit is 5. “Cost of training” is that of all training steps. " + UNDECIDED
)


def write_page(
    folder: Path, records: Sequence[Record], tasks: Sequence[str], states: States
) -> Path:
    """Write page, Markdown and pictures into a folder, and return the page's path.

    Raises:
        OSError: a file could not be written; the file of that name is as it was.
    """
    shown = [record for record in records if record.task in tasks]
    found = claims(shown, tasks, draws(shown))
    pictures = dict(_pictures(folder, shown, tasks))
    lines = _lines(shown, tasks, found, states, pictures)
    write_atomically(folder / TEXT, "\n".join(lines) + "\n")
    write_atomically(folder / PAGE, _page(shown, tasks, found, states))
    return folder / PAGE


def _pictures(
    folder: Path, records: Sequence[Record], tasks: Sequence[str]
) -> Iterator[tuple[str, str]]:
    for task in tasks:
        try:
            svg = curves_of(records, task)
        except ModuleNotFoundError:  # matplotlib; the page says so
            continue
        if svg:
            name = f"curves-{task}.svg"
            write_atomically(folder / name, standalone(svg))
            yield task, name


def _title(task: str) -> str:
    return PLACES[task].task.title


def _lead(records: Sequence[Record], found: Sequence[Claim]) -> str:
    return lead(len(records), found, "task")


def _page(
    records: Sequence[Record], tasks: Sequence[str], found: Sequence[Claim], states: States
) -> str:
    return fill(
        "elsewhere.html",
        "experiments.elsewhere.templates",
        title=TITLE,
        lead=" ".join([_lead(records, found), *missing(states, _title)]),
        reading=READING,
        claims=claims_table(found, "task", _title),
        tasks=[
            {
                "name": _title(task),
                "table": table_of(records, task),
                "picture": inserted(partial(curves_of, records, task)),
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
    made_by = "Made by `python -m experiments reproduce --paper elsewhere`."
    yield f"# {TITLE}\n\n{_lead(records, found)} {made_by}\n\n{READING}\n"
    yield from (f"{line}\n" for line in missing(states, _title))
    tried = claims_table(found, "task", _title)
    if tried.rows:
        yield f"## Claims\n\n{table(tried)}\n"
    for task in (t for t in tasks if any(r.task == t for r in records)):
        yield f"## {_title(task)}\n\n{table(table_of(records, task))}\n"
        if task in pictures:
            yield f"![Learning curves]({pictures[task]})\n"
