"""The tables of a world as text, shared by the page and by Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.drac.claims import sets_of
from experiments.drac.methods import ABLATIONS, ROWS
from experiments.drac.numbers import COLUMNS, Numbers, mean_of, numbers, runs_of
from experiments.harness.records import Record, seeds_of
from safer_gym.conformance.formatting import percent
from safer_gym.conformance.report.certificate.tables import Table

TITLES = {
    "violations": "Return, and violations: share of episodes / of steps, and lowest h",
    "sets": "The learned set (V_h at least the margin of the switch) against the exact one",
}


def rows_with_runs(records: Sequence[Record], task: str) -> list[str]:
    """The table's rows, then ablations that have a run."""
    known = {r.method for r in records if r.task == task}
    more = sorted(known - set(ROWS))
    return [*ROWS, *[row for row in (*ABLATIONS, *more) if row in known and row not in ROWS]]


def violations_table(records: Sequence[Record], task: str) -> Table:
    """Rows by columns."""
    lines = []
    for row in dict.fromkeys(rows_with_runs(records, task)):
        seeds = seeds_of(runs_of(records, task, row)) or "not run"
        lines.append((row, seeds, *(_cell(records, task, row, column) for column in COLUMNS)))
    return Table(("method", "seeds", *COLUMNS), lines)


def sets_table(records: Sequence[Record], task: str) -> Table | None:
    """Each seed's set; None where no exact one is known, or none was learned."""
    lines = []
    for row in dict.fromkeys(rows_with_runs(records, task)):
        try:
            found = sets_of(records, task, row)
        except KeyError:
            continue
        lines += [
            (
                row,
                str(seed),
                f"{s['iou']:.3f}",
                percent(s["falsely_safe"]),
                percent(s["missed"]),
            )
            for seed, s in found.items()
        ]
    head = ("method", "seed", "IoU", "falsely safe", "missed")
    return Table(head, lines) if lines else None


def _cell(records: Sequence[Record], task: str, row: str, column: str) -> str:
    try:
        return said(mean_of(numbers(records, task, row, column)))
    except KeyError:
        return "–"


def said(found: Numbers) -> str:
    """One cell.

    >>> said(Numbers(12.34, 0.5, 0.031, -0.021))
    '12.3; 50 % / 3.1 %; -0.021'
    """
    shares = f"{percent(found.episodes)} / {percent(found.steps)}"
    return f"{found.reward:.1f}; {shares}; {found.depth:.3f}"
