"""The command `reproduce`, of any paper: run what is missing, then write what is known."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import typer

from experiments.harness.cells import Cell
from experiments.harness.fleet import Fleet, Verdicts, drive
from experiments.harness.records import Record, read_records
from experiments.harness.work import BUSY, STOPPED
from safer_gym.choices import choose
from safer_gym.conformance.cli.measure import parse_whole
from safer_gym.conformance.cli.output import print_json, stderr
from safer_gym.conformance.cli.progress import Bar, Reporter
from safer_gym.conformance.cli.refusals import GATE_REFUSED
from safer_gym.conformance.cli.stopping import INTERRUPTED, stop_flag
from safer_gym.conformance.cli.threads import one_thread

INCOMPLETE = 2

States = dict[tuple[str, str], str]
"""Why a method cannot be run on a task, or what went wrong, by task and method."""


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

    @property
    def kept(self) -> Path:
        """Folder of the finished runs' records."""
        return (self.records or self.out / "records").resolve()

    @property
    def common(self) -> dict[str, Any]:
        """What all cells have."""
        return {
            "timesteps": self.timesteps,
            "episodes": self.episodes,
            "battery": self.battery,
            "work": (self.out / "runs").resolve(),
            "records": self.kept,
        }


class Paper(NamedTuple):
    """What the command needs of a paper."""

    plan: Callable[[Asked, Reporter], tuple[list[Cell], States]]
    """The runs in their order, and what cannot be run, why."""
    write: Callable[[Asked, Sequence[Record], States], Path]
    """Writes tables and page, and returns the page's path."""
    findings: Callable[[Asked, Sequence[Record]], dict[str, Any]]
    """What is known, for JSON."""


def run_reproduce(paper: Paper, asked: Asked, *, as_json: bool) -> None:
    """Run, resume and write.

    Raises:
        ValueError: an unknown table, task, method or battery, or a method that cannot be run.
        typer.Exit: 1 a run failed, 2 another invocation is at one, 130 stopped.
    """
    one_thread()
    if asked.timesteps < 0:
        raise ValueError(f"timesteps must be >= 0, got {asked.timesteps}")
    with Bar() as bar:
        cells, states = paper.plan(asked, bar)
        verdicts: Verdicts = {}

        def write(verdicts: Verdicts) -> Path:
            wrong = {(c.task, c.method): v for c, v in verdicts.items() if v and v != STOPPED}
            return paper.write(asked, read_records(asked.kept), states | wrong)

        def show(verdicts: Verdicts) -> None:
            write(verdicts)

        if asked.run:
            with stop_flag() as stop:
                verdicts = drive(cells, lambda: _fleet(asked), bar, stop, show)
        page = write(verdicts)
    found = paper.findings(asked, read_records(asked.kept)) if as_json else {}
    _say(found, states, page, verdicts, as_json=as_json)
    _exit(verdicts)


def refuse_tables(asked: Asked, paper: str) -> None:
    """Of a paper whose page is whole.

    Raises:
        ValueError: a table, a figure or a folder to collect was asked for.
    """
    for name in ("table", "figure", "collect"):
        value = getattr(asked, name)
        if value:
            raise ValueError(
                f"--{name} belongs to --paper safer; got {value!r} with --paper {paper}"
            )


def parse_tasks(text: str, valid: Sequence[str]) -> tuple[str, ...]:
    """A comma-separated list of tasks; "all" is all valid ones.

    Raises:
        ValueError: none of the valid ones; names the nearest.
    """
    if text.strip() == "all":
        return tuple(valid)
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return tuple(choose("task", name, valid) for name in names)


def parse_methods(text: str, find: Callable[[str], Any]) -> tuple[str, ...]:
    """A comma-separated list of methods, each once; "" is none.

    Args:
        find: a method by its name; raises ValueError for one that there is not.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        find(name)
    return names


def parse_numbers(text: str, name: str, valid: Sequence[int] = ()) -> tuple[int, ...]:
    """A comma-separated list of whole numbers, each once; "all" is all valid ones.

    >>> parse_numbers("0, 2,2", "seeds")
    (0, 2)

    Raises:
        ValueError: not a whole number >= 0, or none of the valid ones.
    """
    if text.strip() == "all" and valid:
        return tuple(valid)
    numbers = parse_whole(name, text)
    for number in numbers if valid else ():
        choose(name, str(number), [str(other) for other in valid])
    return numbers


def plan_cells(
    wanted: Sequence[tuple[str, str]],
    seeds: Sequence[int],
    make: Callable[[str, str, int], Cell],
    obstacle: Callable[[str, str], str],
    *,
    named: bool,
) -> tuple[list[Cell], States]:
    """The runs, seed by seed so that every method has one first; and what cannot be run, why.

    Args:
        wanted: pairs of task and method.
        seeds: of each.
        make: a cell of task, method and seed.
        obstacle: why a method cannot be trained on a task; "" if it can.
        named: the methods were asked for by name, so that none that can be run is an error.
    """
    why = {pair: obstacle(*pair) for pair in wanted}
    states = {pair: f"not available: {text}" for pair, text in why.items() if text}
    able = [pair for pair in wanted if pair not in states]
    if named and not able:
        raise ValueError("; ".join(f"{method}: {why}" for (_, method), why in states.items()))
    return [make(task, method, seed) for seed in seeds for task, method in able], states


def told(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows for JSON, their parts by name."""
    return [
        {key: part._asdict() if hasattr(part, "_asdict") else part for key, part in pairs.items()}
        for pairs in (row._asdict() for row in rows)
    ]


def _fleet(asked: Asked) -> Fleet:
    if asked.ray:
        from experiments.harness.cluster import RayCluster

        return RayCluster(asked.ray, asked.workers)
    from experiments.harness.local import Processes

    return Processes(asked.workers or os.cpu_count() or 1)


def _say(
    found: dict[str, Any],
    states: Mapping[tuple[str, str], str],
    page: Path,
    verdicts: Verdicts,
    *,
    as_json: bool,
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
