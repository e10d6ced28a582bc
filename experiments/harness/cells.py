"""A run of a reproduction: one for each task, method and seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from experiments.harness.method import Method
from experiments.harness.records import Record, file_name
from safer_gym.agents.training.plan import Run, planned
from safer_gym.agents.training.recipes import RECIPES
from safer_gym.agents.training.run import Choice
from safer_gym.conformance.cli.progress import Reporter
from safer_gym.wrappers.tasks import Task, find_task


class Protocol(NamedTuple):
    """What a paper says of its runs. Functions of modules, so that any machine can take them."""

    paper: str
    """Its name in `reproduce --paper`."""
    measure: Callable[[Cell, Reporter], dict[str, Any]]
    """From a trained run to its record's data."""
    is_measured: Callable[[Record, Cell], bool]
    """Whether a record holds what the cell asks for."""
    choose: Callable[[list[Path], Run], Choice] | None = None
    """Which policy is kept; None: by episodes under the attacks of its algorithm."""
    environment: Callable[[Cell], Task] | None = None
    """Where a run trains; None: in the task as it is."""


class Cell(NamedTuple):
    """One run: trained, then attacked. Plain values, so that any machine can take it."""

    task: str
    method: str
    """Its name in the paper's tables."""
    training: Method
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
    protocol: Protocol
    stands_for: tuple[str, ...] = ()
    """What else the tables call the same training."""

    def __hash__(self) -> int:
        return hash(self.name)

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
        method = self.training
        recipe = method.recipe if method.recipe in RECIPES.get(self.task, {}) else ""
        environment = self.protocol.environment
        task = find_task(self.task) if environment is None else environment(self)
        run = planned(task, method.algorithm, self.folder, self.timesteps, self.seed, recipe)
        return run._replace(kwargs={**run.kwargs, **method.options}, command=self.command(run))

    def command(self, run: Run) -> str:
        """What makes this run again."""
        return (
            f"python -m experiments reproduce --paper {self.protocol.paper} --task {self.task} "
            f'--methods "{self.method}" --seeds {self.seed} --timesteps {run.timesteps}'
        )
