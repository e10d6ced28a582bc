"""The defaults away from Bullet, for the command `reproduce`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.elsewhere.claims import claims
from experiments.elsewhere.environments import PLACES
from experiments.elsewhere.measuring import ELSEWHERE_PROTOCOL
from experiments.elsewhere.methods import METHODS, find_method
from experiments.elsewhere.page import write_page
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

TASKS = tuple(PLACES)


def _plan(asked: Asked, bar: Reporter) -> tuple[list[Cell], States]:
    refuse_tables(asked, "elsewhere")
    names = parse_methods(asked.methods, find_method)
    return plan_cells(
        [(task, method) for task in _tasks(asked) for method in names or METHODS],
        parse_numbers(asked.seeds, "seeds"),
        lambda task, method, seed: _cell(asked, task, method, seed),
        lambda task, method: PLACES[task].obstacle,
        named=bool(names),
    )


def _cell(asked: Asked, task: str, method: str, seed: int) -> Cell:
    steps = asked.timesteps or PLACES[task].timesteps
    common = {**asked.common, "timesteps": steps}
    return Cell(task, method, find_method(method), seed, protocol=ELSEWHERE_PROTOCOL, **common)


def _tasks(asked: Asked) -> tuple[str, ...]:
    return parse_tasks(asked.task or TASKS[0], TASKS)


def _write(asked: Asked, records: Sequence[Record], states: States) -> Path:
    return write_page(asked.out, records, _tasks(asked), states)


def _findings(asked: Asked, records: Sequence[Record]) -> dict[str, Any]:
    return {"claims": told(claims(records, _tasks(asked), draws(records)))}


PAPER = Paper(_plan, _write, _findings)
