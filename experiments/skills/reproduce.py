"""The paper on safe skill priors for the command `reproduce`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
from experiments.harness.work import finished
from experiments.skills.claims import claims
from experiments.skills.measuring import PROTOCOL
from experiments.skills.methods import COMPARED, METHODS, PRIORS, find_method
from experiments.skills.page import write_page
from experiments.skills.priors import PriorFiles, make_prior, read_priors
from safer_gym.conformance.cli.progress import Reporter
from safer_gym.wrappers.worlds.tasks import OPERATIONS

TASKS = tuple(spec.task.name for spec in OPERATIONS)


def _plan(asked: Asked, bar: Reporter) -> tuple[list[Cell], States]:
    refuse_tables(asked, "skills")
    names = parse_methods(asked.methods, find_method)
    wanted = [(task, name) for task in _tasks(asked) for name in names or METHODS]
    seeds = parse_numbers(asked.seeds, "seeds")
    cells, states = plan_cells(
        wanted,
        seeds,
        lambda task, name, seed: Cell(
            task, name, find_method(name).training, seed, protocol=PROTOCOL, **asked.common
        ),
        lambda task, name: find_method(name).training.obstacle(task),
        named=bool(names),
    )
    if asked.run:
        _make_priors(cells, seeds if not names else (), asked, bar)
    return cells, states


def _make_priors(cells: Sequence[Cell], seeds: Sequence[int], asked: Asked, bar: Reporter) -> None:
    """Those that runs still need, and all whose record is missing for `seeds`."""
    files = PriorFiles((asked.out / "runs").resolve(), asked.kept)
    needed = {
        (find_method(cell.method).prior, cell.seed) for cell in cells if finished(cell) is None
    }
    missing = {
        (kind, seed) for kind in COMPARED for seed in seeds if not files.record(kind, seed).exists()
    }
    for kind, seed in sorted(
        needed | missing, key=lambda pair: (pair[1], list(PRIORS).index(pair[0]))
    ):
        make_prior(files, kind, seed, bar)


def _tasks(asked: Asked) -> tuple[str, ...]:
    return parse_tasks(asked.task, TASKS) if asked.task else TASKS[:3]


def _write(asked: Asked, records: Sequence[Record], states: States) -> Path:
    return write_page(asked.out, read_priors(asked.kept), records, _tasks(asked), states)


def _findings(asked: Asked, records: Sequence[Record]) -> dict[str, Any]:
    found = claims(read_priors(asked.kept), records, _tasks(asked), draws(records))
    return {"claims": told(found)}


PAPER = Paper(_plan, _write, _findings)
