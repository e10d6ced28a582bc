"""What is trained, how, and in which folder."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from safer_gym.agents.off_policy import OffPolicy
from safer_gym.agents.registry import find_algorithm, find_recipe
from safer_gym.domains import FLAG, SEED, Domain, require

ENVIRONMENT = "environment"
"""Of a record and of a folder's settings: what the environment was told beside its name."""
STEPS = Domain("a whole number in [0, 10^12]", Integral, low=0, high=10**12)


class Task(Protocol):
    """What a training needs of a task; `safer_gym.wrappers.tasks.Task` is one."""

    @property
    def name(self) -> str:
        """Of its recipes."""

    @property
    def env_id(self) -> str:
        """Of its environment."""

    @property
    def changes(self) -> dict[str, Any]:
        """What its environment was told beside the id, as JSON has it."""

    @property
    def words(self) -> list[str]:
        """How the command `train` names it."""

    def make(self) -> Any:
        """An environment."""


class Run(NamedTuple):
    """One training, and its folder."""

    task: Task
    algorithm: str
    timesteps: int
    n_envs: int
    kwargs: dict[str, Any]
    seed: int
    out: Path
    command: str = ""
    """What makes the same policy again; "" is the command `train`."""
    asked: tuple[tuple[str, float], ...] = ()
    """Arguments of the constructor that were asked for instead of the recipe's."""
    overlap: bool = False
    """Collect in a second process during the updates."""
    average: int = 0
    """Of how many of its last kept policies the final one is the mean; 0: it is the learner's."""

    def settings(self) -> dict[str, Any]:
        """What must be equal for a run to be resumed."""
        settings = {**self._asdict(), "task": self.task.env_id, "out": None, "timesteps": None}
        settings["version"] = _version()
        del settings["command"], settings["average"], settings["asked"]  # training is the same
        settings |= {ENVIRONMENT: self.task.changes} if self.task.changes else {}
        if not self.overlap:
            del settings["overlap"]  # as in the folders of runs from before there was a choice
        return json.loads(json.dumps(settings, default=repr))

    @property
    def model(self) -> Path:
        """Where the finished policy goes."""
        return self.out / "model.zip"

    @property
    def full_command(self) -> str:
        """The command that trains the same policy again, whatever folder it went to."""
        if self.command:
            return self.command
        words = ["safer-gym", "train", *self.task.words, "--algorithm", self.algorithm]
        words += ["--timesteps", str(self.timesteps), "--seed", str(self.seed)]
        for name, value in self.asked:
            words += [f"--{name.replace('_', '-')}", f"{value:g}"]
        return shlex.join([*words, *(["--overlap"] if self.overlap else [])])


def planned(
    task: Task,
    algorithm: str,
    out: Path,
    timesteps: int = 0,
    seed: int = 0,
    recipe: str = "",
    *,
    overlap: bool = False,
    asked: Mapping[str, float] | None = None,
) -> Run:
    """A run of the task's recipe for `algorithm`, or of the one called `recipe`.

    Args:
        timesteps: Environment steps; 0 is the recipe's own number.
        overlap: Collect during the updates; for off-policy algorithms.
        asked: Arguments of the constructor instead of the recipe's, such as `cost_limit`.

    Raises:
        ValueError: no recipe for the task or for the algorithm; or it cannot overlap.
    """
    require(STEPS, timesteps=timesteps)
    require(SEED, seed=seed)
    require(FLAG, overlap=overlap)
    found, asked = find_recipe(task.name, recipe or algorithm), dict(asked or {})
    if overlap and not issubclass(find_algorithm(algorithm).load(), OffPolicy):
        raise ValueError(
            "overlap needs an off-policy algorithm with a cost limit, so that another process can "
            f"collect for it; {algorithm} is none."
        )
    return Run(
        task=task,
        algorithm=algorithm,
        timesteps=timesteps or found["total_timesteps"],
        n_envs=found["n_envs"],
        kwargs={**found["kwargs"], **asked},
        seed=seed,
        out=out,
        overlap=overlap,
        average=found.get("average", 0),
        asked=tuple(asked.items()),
    )


def _version() -> str:
    try:
        return version("safer-gym")
    except PackageNotFoundError:
        return "unknown"
