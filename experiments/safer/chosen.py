"""Which runs the paper's tables and figures are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.harness.cells import Cell
from experiments.harness.reproduce import parse_numbers
from experiments.safer.measuring import SAFER_PROTOCOL
from experiments.safer.methods import canonical, find_method, other_names
from experiments.safer.paper import FIGURE_METHODS, TABLES, table_methods


def cell_of(task: str, method: str, **rest: Any) -> Cell:
    """The run of a method by its name; `rest` are the other fields of `Cell`.

    Raises:
        ValueError: no such method.
    """
    training, names = find_method(method, task), other_names(method, task)
    return Cell(task, method, training, protocol=SAFER_PROTOCOL, stands_for=names, **rest)


def chosen_methods(
    tables: Sequence[int], figures: Sequence[int], task: str, methods: Sequence[str]
) -> list[str]:
    """The methods to run on a task, each under the name that it is trained by, in order.

    Args:
        methods: only these, whatever the tables hold; empty for all of theirs.

    Raises:
        ValueError: an unknown method.
    """
    names = list(methods)
    if not names:
        names = [name for table in tables for name in table_methods(table, task)]
        names += FIGURE_METHODS if figures else ()
    return list(dict.fromkeys(canonical(name, task) for name in names))


def parse_tables(tables: str, figures: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tables and figures asked for; Table 5 where neither is."""
    shown = parse_numbers(figures, "figure", (2,))
    return parse_numbers(tables or ("" if shown else "5"), "table", TABLES), shown
