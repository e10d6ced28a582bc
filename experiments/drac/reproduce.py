"""The DRAC paper for the command `reproduce`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.drac.claims import FAR_FROM_ONE, claims
from experiments.drac.measuring import DRAC_PROTOCOL, PLANE
from experiments.drac.methods import METHODS, find_method
from experiments.drac.page import write_page
from experiments.harness.cells import Cell
from experiments.harness.records import Record
from experiments.harness.reproduce import (
    Asked,
    Paper,
    States,
    parse_methods,
    parse_numbers,
    parse_tasks,
    plan_cells,
    refuse_tables,
    told,
)
from experiments.harness.resampling import draws
from safer_gym.conformance.cli.progress import Reporter

TASKS = tuple(PLANE)


def _plan(asked: Asked, bar: Reporter) -> tuple[list[Cell], States]:
    refuse_tables(asked, "drac")
    names = parse_methods(asked.methods, find_method)
    wanted = [(task, method) for task in _tasks(asked) for method in names or _methods(task)]
    return plan_cells(
        wanted,
        parse_numbers(asked.seeds, "seeds"),
        lambda task, method, seed: Cell(
            task, method, find_method(method), seed, protocol=DRAC_PROTOCOL, **asked.common
        ),
        lambda task, method: find_method(method).obstacle(task),
        named=bool(names),
    )


def _methods(task: str) -> tuple[str, ...]:
    """The table's, and the discounts of the claim on g_h where the exact set is in closed form."""
    return (*METHODS, *(FAR_FROM_ONE if task == TASKS[0] else ()))


def _tasks(asked: Asked) -> tuple[str, ...]:
    return parse_tasks(asked.task or TASKS[0], TASKS)


def _write(asked: Asked, records: Sequence[Record], states: States) -> Path:
    return write_page(asked.out, records, _tasks(asked), states)


def _findings(asked: Asked, records: Sequence[Record]) -> dict[str, Any]:
    return {"claims": told(claims(records, _tasks(asked), draws(records)))}


PAPER = Paper(_plan, _write, _findings)
