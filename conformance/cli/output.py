"""What the commands print: tables for people, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from safer_gym.conformance.outcomes import Outcomes

stderr = Console(stderr=True)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    json.dump(value, sys.stdout, indent=2)
    sys.stdout.write("\n")


def print_table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Rows of one shape; numbers to the right."""
    table = Table(title=title, title_justify="left")
    for column in rows[0] if rows else ():
        number = isinstance(rows[0][column], int | float)
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)


def print_outcomes(title: str, named: Sequence[tuple[str, Outcomes]]) -> None:
    """One line for each policy and attack: reward and cost, mean and deviation over episodes."""
    table = Table(title=title, title_justify="left")
    for column in ("policy", "attack"):
        table.add_column(column)
    for column in ("eps", "reward", "cost", "worst episode's cost", "episodes"):
        table.add_column(column, justify="right")
    before = None
    for policy, outcome in named:
        if before not in (None, policy):
            table.add_section()
        table.add_row(policy if policy != before else "", *_cells(outcome))
        before = policy
    Console().print(table)


def _cells(outcome: Outcomes) -> tuple[str, ...]:
    return (
        outcome.attack,
        f"{outcome.eps:g}",
        f"{outcome.mean_return:.1f} ± {outcome.returns.std():.1f}",
        f"{outcome.mean_cost:.2f} ± {outcome.costs.std():.2f}",
        f"{outcome.costs.max():g}",
        str(len(outcome.costs)),
    )
