"""What the commands print: tables for people, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.formatting import printable

stderr = Console(stderr=True)


def refuse(text: str) -> None:
    """Say why a gate does not open, also where it is quiet."""
    print(plain(text), file=sys.stderr)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    json.dump(value, sys.stdout, indent=2)
    sys.stdout.write("\n")


def plain(value: Any) -> str:
    """Text that says what it holds: no markup, no control characters."""
    return escape(printable(str(value)))


def print_table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Rows of one shape; numbers to the right."""
    table = new_table(title)
    for place, column in enumerate(rows[0] if rows else ()):
        number = isinstance(rows[0][column], int | float)
        justify: Any = "right" if number else "left"
        table.add_column(column, justify=justify, no_wrap=number or not place, overflow="fold")
    for row in rows:
        table.add_row(*(plain(value) for value in row.values()))
    show(table)


def show(table: Table) -> None:
    """Print a table; where the terminal is too narrow, row by row, so that no number is cut."""
    console = Console()
    for column in table.columns:
        if column.no_wrap:  # rich would cut it, and measures it by its longest word
            texts = [Text.from_markup(str(cell)) for cell in (column.header, *column.cells)]
            column.min_width = max(text.cell_len for text in texts)
    wide = console.options.update(width=10_000)
    if Measurement.get(console, wide, table).minimum <= console.width:
        console.print(table)
        return
    console.print(table.title or "")
    for row in zip(*(column.cells for column in table.columns), strict=True):
        console.print()
        for column, cell in zip(table.columns, row, strict=True):
            if cell:
                console.print(f"{column.header}: {cell}" if column.header else cell)


def print_outcomes(title: str, named: Sequence[tuple[str, Outcomes]]) -> None:
    """One line for each policy and attack: reward and cost, mean ± standard deviation.

    The title names the policy where there is only one.
    """
    table, several = new_table(title), len({policy for policy, _ in named}) > 1
    if several:
        table.add_column("policy", overflow="fold", min_width=8)
    table.add_column("attack", no_wrap=True)
    has_h = any(len(outcome.worst_h) for _, outcome in named)
    for column in ("eps", "reward", "", "cost", "", "worst", *(("worst h",) * has_h), "n"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    before = None
    for policy, outcome in named:
        if before not in (None, policy):
            table.add_section()
        names = [policy if policy != before else ""] if several else []
        table.add_row(*map(plain, (*names, *_cells(outcome, has_h=has_h))))
        before = policy
    show(table)
    print("Mean ± standard deviation over n episodes; worst is the highest cost of one episode.")
    if has_h:
        print("Worst h is the lowest of the constraint function; a state is safe where h >= 0.")


def new_table(title: str) -> Table:
    """An empty table in the house's style."""
    look: Any = {"title_justify": "left", "box": SIMPLE_HEAD, "padding": (0, 1)}
    return Table(title=plain(title), collapse_padding=True, pad_edge=False, **look)


def _cells(outcome: Outcomes, *, has_h: bool) -> tuple[str, ...]:
    h = f"{outcome.worst_h.min():.3f}" if len(outcome.worst_h) else "–"
    return (
        outcome.attack,
        f"{outcome.eps:g}",
        f"{outcome.mean_return:.1f}",
        f"± {outcome.returns.std():.1f}",
        f"{outcome.mean_cost:.2f}",
        f"± {outcome.costs.std():.2f}",
        f"{outcome.costs.max():g}",
        *((h,) * has_h),
        str(len(outcome.costs)),
    )
