"""The command `reproduce`: run what is missing, then write what is known."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import typer

from experiments.harness.cells import Cell
from experiments.harness.fleet import Fleet, Verdicts, drive
from experiments.harness.records import file_name, read_records
from experiments.harness.work import BUSY, STOPPED, keep, measured
from experiments.safer.chosen import (
    cell_of,
    chosen_methods,
    parse_methods,
    parse_numbers,
    parse_tables,
)
from experiments.safer.claims import Claim, claims
from experiments.safer.folder import PAGE, write_reproduction
from experiments.safer.methods import find_method, method_of
from experiments.safer.page import Shown
from experiments.safer.standing import Standing, standings
from experiments.safer.tables import States
from safer_gym.choices import choose
from safer_gym.conformance.battery.build import BATTERIES
from safer_gym.conformance.cli.output import print_json, stderr
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.refusals import GATE_REFUSED
from safer_gym.conformance.cli.stopping import INTERRUPTED, stop_flag
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.wrappers.adapters.bullet_tasks import PAPER_TASKS

INCOMPLETE = 2


class Asked(NamedTuple):
    """The command's options."""

    table: str
    figure: str
    task: str
    methods: str
    seeds: str
    timesteps: int
    episodes: int
    battery: str
    workers: int
    ray: str
    out: Path
    records: Path | None
    collect: Sequence[Path]
    run: bool


def run_reproduce(asked: Asked, *, as_json: bool) -> None:
    """Run, resume and write.

    Raises:
        ValueError: an unknown table, task, method or battery, or a method that cannot be run.
        typer.Exit: 1 a run failed, 2 another invocation is at one, 130 stopped.
    """
    one_thread()
    tables, figures = parse_tables(asked.table, asked.figure)
    tasks = PAPER_TASKS if asked.task == "all" else _tasks(asked.task)
    records = (asked.records or asked.out / "records").resolve()
    choose("battery", asked.battery, ("none", *BATTERIES))
    if asked.timesteps < 0:
        raise ValueError(f"timesteps must be >= 0, got {asked.timesteps}")
    with Bar() as bar:
        for folder in asked.collect:
            _collect(folder, asked, records, bar)
        cells, states = _cells(asked, tables, figures, tasks, records)
        verdicts: Verdicts = {}

        def show(verdicts: Verdicts) -> None:
            wrong = {(c.task, c.method): v for c, v in verdicts.items() if v and v != STOPPED}
            shown = Shown(read_records(records), tables or (5,), tasks, states | wrong)
            write_reproduction(asked.out, shown)

        if asked.run:
            with stop_flag() as stop:
                verdicts = drive(cells, lambda: _fleet(asked), bar, stop, show)
        show(verdicts)
    known = read_records(records)
    found = {"claims": told(claims(known, tasks)), "aim": told(standings(known, tasks))}
    _say(found, states, asked.out / PAGE, verdicts, as_json=as_json)
    _exit(verdicts)


def _tasks(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return tuple(choose("task", name, PAPER_TASKS) for name in names)


def _cells(
    asked: Asked,
    tables: Sequence[int],
    figures: Sequence[int],
    tasks: Sequence[str],
    records: Path,
) -> tuple[list[Cell], dict[tuple[str, str], str]]:
    """The runs, seed by seed so that every method has one first; and what cannot be run, why."""
    wanted, states = [], {}
    for task in tasks:
        for method in chosen_methods(tables, figures, task, parse_methods(asked.methods)):
            why = find_method(method, task).obstacle(task)
            if why:
                states[task, method] = f"not available: {why}"
            else:
                wanted.append((task, method))
    if asked.methods and not wanted:
        raise ValueError("; ".join(f"{method}: {why}" for (_, method), why in states.items()))
    plan = {
        "timesteps": asked.timesteps,
        "episodes": asked.episodes,
        "battery": asked.battery,
        "work": (asked.out / "runs").resolve(),
        "records": records,
    }
    cells = [
        cell_of(task, method, seed=seed, **plan)
        for seed in parse_numbers(asked.seeds, "seeds")
        for task, method in wanted
    ]
    return cells, states


def _fleet(asked: Asked) -> Fleet:
    if asked.ray:
        from experiments.harness.cluster import RayCluster

        return RayCluster(asked.ray, asked.workers)
    from experiments.harness.local import Processes

    return Processes(asked.workers or os.cpu_count() or 1)


def _collect(folder: Path, asked: Asked, records: Path, bar: Bar) -> None:
    """Add what `safer-gym train` has finished."""
    data = measured(folder, asked.episodes, asked.battery, bar)
    data["method"] = method_of(data["algorithm"])
    keep(folder, data, records / f"{file_name(data['task'], data['method'], data['seed'])}.json")


def told(rows: Sequence[Claim] | Sequence[Standing]) -> list[dict[str, Any]]:
    """Rows for JSON, their parts by name."""
    return [
        {key: part._asdict() if hasattr(part, "_asdict") else part for key, part in pairs.items()}
        for pairs in (row._asdict() for row in rows)
    ]


def _say(
    found: dict[str, Any], states: States, page: Path, verdicts: Verdicts, *, as_json: bool
) -> None:
    wrong = {cell.name: verdict for cell, verdict in verdicts.items() if verdict}
    for name, verdict in wrong.items():
        stderr.print(f"{name}: {verdict}", highlight=False, markup=False)
    for (task, method), state in states.items():
        stderr.print(f"{method} on {task} is {state}", highlight=False, markup=False)
    done = [cell.name for cell, verdict in verdicts.items() if not verdict]
    if as_json:
        print_json({"page": str(page), "done": done, "not_done": wrong, **found})
    else:
        print(f"{len(done)} of {len(verdicts)} runs are done\nPage: {page.resolve()}")


def _exit(verdicts: Verdicts) -> None:
    wrong = [verdict for verdict in verdicts.values() if verdict]
    if STOPPED in wrong:
        raise typer.Exit(INTERRUPTED)
    if any(verdict != BUSY for verdict in wrong):
        raise typer.Exit(GATE_REFUSED)
    if wrong:
        raise typer.Exit(INCOMPLETE)
