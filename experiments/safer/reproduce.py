"""The SAFER paper for the command `reproduce`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from experiments.harness.cells import Cell
from experiments.harness.records import Record, file_name
from experiments.harness.reproduce import (
    Asked,
    Paper,
    States,
    parse_methods,
    parse_numbers,
    parse_tasks,
    plan_cells,
    told,
)
from experiments.harness.resampling import draws
from experiments.harness.work import keep
from experiments.safer.chosen import cell_of, chosen_methods, parse_tables
from experiments.safer.claims import claims
from experiments.safer.folder import write_reproduction
from experiments.safer.measuring import measured
from experiments.safer.methods import find_method, method_of
from experiments.safer.page import Shown
from experiments.safer.standing import standings
from safer_gym.choices import choose
from safer_gym.conformance.battery.build import BATTERIES
from safer_gym.conformance.cli.progress import Reporter
from safer_gym.wrappers.adapters.bullet_tasks import PAPER_TASKS

DEFAULT_TASK = "ball-circle"


def _tasks(asked: Asked) -> tuple[str, ...]:
    return parse_tasks(asked.task or DEFAULT_TASK, PAPER_TASKS)


def _plan(asked: Asked, bar: Reporter) -> tuple[list[Cell], States]:
    tables, figures = parse_tables(asked.table, asked.figure)
    tasks = _tasks(asked)
    choose("battery", asked.battery, ("none", *BATTERIES))
    for folder in asked.collect:
        _collect(folder, asked, bar)
    methods = parse_methods(asked.methods, partial(find_method, task=""))
    wanted = [
        (task, method)
        for task in tasks
        for method in chosen_methods(tables, figures, task, methods)
    ]
    return plan_cells(
        wanted,
        parse_numbers(asked.seeds, "seeds"),
        lambda task, method, seed: cell_of(task, method, seed=seed, **asked.common),
        lambda task, method: find_method(method, task).obstacle(task),
        named=bool(asked.methods),
    )


def _write(asked: Asked, records: Sequence[Record], states: States) -> Path:
    tables, _ = parse_tables(asked.table, asked.figure)
    return write_reproduction(asked.out, Shown(records, tables or (5,), _tasks(asked), states))


def _findings(asked: Asked, records: Sequence[Record]) -> dict[str, Any]:
    tasks = _tasks(asked)
    return {
        "claims": told(claims(records, tasks, draws(records))),
        "aim": told(standings(records, tasks)),
    }


def _collect(folder: Path, asked: Asked, bar: Reporter) -> None:
    """Add what `safer-gym train` has finished."""
    data = measured(folder, asked.episodes, asked.battery, bar)
    data["method"] = method_of(data["algorithm"])
    name = file_name(data["task"], data["method"], data["seed"])
    keep(folder, data, asked.kept / f"{name}.json")


PAPER = Paper(_plan, _write, _findings)
