"""Which runs a reproduction is made of: one for each task, method and seed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.harness.records import file_name
from experiments.safer.methods import canonical, find_method
from experiments.safer.paper import FIGURE_METHODS, TABLES, table_methods
from safer_gym.agents.registry import ALGORITHMS
from safer_gym.choices import choose
from safer_gym.conformance.cli.train import Run, planned
from safer_gym.wrappers.tasks import find_task


class Cell(NamedTuple):
    """One run: trained, then met with attacks. Plain values, so that any machine can take it."""

    task: str
    method: str
    seed: int
    timesteps: int
    """0: the recipe's."""
    episodes: int
    """Of each attack."""
    battery: str
    """ "none" leaves the column of the strongest attack empty."""
    work: Path
    """Folder of all runs."""
    records: Path
    """Folder of the finished runs' records."""

    @property
    def name(self) -> str:
        """Stem of the record's file, and the run's folder."""
        return file_name(self.task, self.method, self.seed)

    @property
    def folder(self) -> Path:
        """Where the run is trained."""
        return self.work / self.name

    @property
    def record(self) -> Path:
        """Where its record goes; the learning curve lies beside it."""
        return self.records / f"{self.name}.json"

    def run(self) -> Run:
        """The training.

        Raises:
            ValueError: the method cannot be trained on this task.
        """
        from safer_gym.agents.training.recipes import RECIPES

        method, task = find_method(self.method, self.task), find_task(self.task)
        recipe = method.recipe if method.recipe in RECIPES[self.task] else ""
        run = planned(task, method.algorithm, self.folder, self.timesteps, self.seed, recipe)
        return run._replace(kwargs={**run.kwargs, **method.options}, command=self.command(run))

    def command(self, run: Run) -> str:
        """What makes this run again."""
        return (
            f'python -m experiments reproduce --task {self.task} --methods "{self.method}" '
            f"--seeds {self.seed} --timesteps {run.timesteps}"
        )


def obstacle(task: str, method: str) -> str:
    """Why a method cannot be trained on a task; "" if it can.

    Raises:
        ValueError: no such method.
    """
    from safer_gym.agents.training.recipes import RECIPES

    algorithm = find_method(method, task).algorithm
    if algorithm not in ALGORITHMS:
        return f"this version has no algorithm {algorithm!r}"
    if algorithm not in RECIPES.get(task, {}):
        return f"agents/training/recipes.py has no recipe for {algorithm!r} on {task}"
    return ""


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


def parse_numbers(text: str, name: str, valid: Sequence[int] = ()) -> tuple[int, ...]:
    """A comma-separated list of whole numbers, each once; "all" is all valid ones.

    >>> parse_numbers("0, 2,2", "seeds")
    (0, 2)

    Raises:
        ValueError: not a whole number >= 0, or none of the valid ones.
    """
    if text.strip() == "all" and valid:
        return tuple(valid)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(re.fullmatch(r"\d+", part) for part in parts):
        raise ValueError(f"{name} must be whole numbers such as 0,1,2; got {text!r}")
    for part in parts if valid else ():
        choose(name, part, [str(number) for number in valid])
    return tuple(dict.fromkeys(int(part) for part in parts))


def parse_tables(tables: str, figures: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tables and figures asked for; Table 5 where neither is."""
    shown = parse_numbers(figures, "figure", (2,))
    return parse_numbers(tables or ("" if shown else "5"), "table", TABLES), shown


def parse_methods(text: str) -> tuple[str, ...]:
    """A comma-separated list of the paper's names.

    Raises:
        ValueError: an unknown name, with the nearest one.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        find_method(name, "")
    return names
