"""The tables, claims and curves as a page and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from experiments.elsewhere.claims import Claim, claims
from experiments.elsewhere.environments import PLACES
from experiments.elsewhere.tables import curves_of, table_of
from experiments.harness.finding import MARKS
from experiments.harness.records import Record
from experiments.harness.reproduce import States
from experiments.harness.resampling import UNDECIDED, draws
from safer_gym.conformance.figures.svg import standalone
from safer_gym.conformance.files import write_atomically
from safer_gym.conformance.report.certificate.markdown import table
from safer_gym.conformance.report.certificate.tables import Table
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


def lead(records: Sequence[Record], found: Sequence[Claim]) -> str:
    """How much is known, in a sentence."""
    known = [claim for claim in found if claim.ours.verdict != "not run"]
    holding = sum(claim.ours.verdict == "holds" for claim in known)
    return (
        f"Runs so far: {len(records)}. Of {len(found)} claims (one for each task) {len(known)} "
        f"could be tried; {holding} hold."
    )


def claims_table(found: Sequence[Claim]) -> Table:
    """Those that could be tried."""
    rows = [
        (c.text, _title(c.task), f"{MARKS[c.ours.verdict]} {c.ours.verdict}", c.ours.numbers)
        for c in found
        if c.ours.verdict != "not run"
    ]
    return Table(("claim", "task", "verdict", "numbers"), rows)


def _title(task: str) -> str:
    return PLACES[task].task.title


def _missing(states: States) -> list[str]:
    return [f"{method} on {_title(task)}: {why}." for (task, method), why in states.items()]


def _page(
    records: Sequence[Record], tasks: Sequence[str], found: Sequence[Claim], states: States
) -> str:
    return fill(
        "elsewhere.html",
        "experiments.elsewhere.templates",
        title=TITLE,
        lead=" ".join([lead(records, found), *_missing(states)]),
        reading=READING,
        claims=claims_table(found),
        tasks=[
            {
                "name": _title(task),
                "table": table_of(records, task),
                "picture": inserted(partial(curves_of, records, task)),
            }
            for task in tasks
        ],
        runs=[(f"{_title(r.task)}, {r.method}, seed {r.seed}", _facts(r)) for r in records],
    )


def _facts(record: Record) -> list[tuple[str, str, bool]]:
    names = ("timesteps", "command", "commit", "made")
    facts = [(name, str(record.data.get(name)), True) for name in names]
    return [*facts, ("seconds of training", f"{record.total('seconds') or 0:.0f}", True)]


def _lines(
    records: Sequence[Record],
    tasks: Sequence[str],
    found: Sequence[Claim],
    states: States,
    pictures: dict[str, str],
) -> Iterator[str]:
    made_by = "Made by `python -m experiments reproduce --paper elsewhere`."
    yield f"# {TITLE}\n\n{lead(records, found)} {made_by}\n\n{READING}\n"
    yield from (f"{line}\n" for line in _missing(states))
    tried = claims_table(found)
    if tried.rows:
        yield f"## Claims\n\n{table(tried)}\n"
    for task in (t for t in tasks if any(r.task == t for r in records)):
        yield f"## {_title(task)}\n\n{table(table_of(records, task))}\n"
        if task in pictures:
            yield f"![Learning curves]({pictures[task]})\n"
