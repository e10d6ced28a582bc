"""Write a reproduction: the page, Markdown, the numbers as CSV, the figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from experiments.safer.curves import panels, sheet
from experiments.safer.figure import figure
from experiments.safer.intervals import interval_figure
from experiments.safer.markdown import (
    curves_name,
    figure_name,
    intervals_name,
    render_markdown,
)
from experiments.safer.page import Shown, render_page
from experiments.safer.runs import run_row
from experiments.safer.tables import blocks_of, csv_rows
from safer_gym.conformance.figures.svg import standalone
from safer_gym.conformance.files import write_atomically

PAGE, TEXT, NUMBERS, RUNS = "index.html", "README.md", "tables.csv", "runs.csv"


def write_reproduction(folder: Path, shown: Shown) -> Path:
    """Write everything into `folder` and return the page's path.

    Raises:
        OSError: a file could not be written; the file of that name is as it was.
    """
    drawn = _drawn(shown)
    for name, svg in drawn.items():
        write_atomically(folder / name, standalone(svg))
    blocks = [
        block
        for task in shown.tasks
        for table in shown.tables
        for block in blocks_of(shown.records, table, task, shown.states)
    ]
    write_atomically(folder / NUMBERS, _csv(csv_rows(blocks)))
    write_atomically(folder / RUNS, _csv(run_row(r) for r in shown.runs()))
    write_atomically(folder / TEXT, render_markdown(shown, list(drawn)))
    write_atomically(folder / PAGE, render_page(shown))
    return folder / PAGE


def _drawn(shown: Shown) -> dict[str, str]:
    """The pictures by file; none without matplotlib, of which the page speaks."""
    try:
        figures = {figure_name(task): figure(shown.records, task) for task in shown.tasks}
        curves = {curves_name(task): sheet(panels(shown.records, task)) for task in shown.tasks}
        means = {
            intervals_name(task): interval_figure(rows) for task, rows in shown.intervals.items()
        }
    except ModuleNotFoundError:
        return {}
    return {name: svg for name, svg in (figures | curves | means).items() if svg}


def _csv(rows: Iterable[dict[str, object]]) -> str:
    listed, out = list(rows), io.StringIO()
    if listed:
        writer = csv.DictWriter(out, list(listed[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)
    return out.getvalue()
