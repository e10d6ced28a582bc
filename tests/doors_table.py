"""Doors x kinds of policy and space: each cell works, or refuses in one clear line.

`PYTHONPATH=tests python -m doors_table` runs every cell and writes docs/doors.md.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from doors_world import STEPS, write_models
from typer.testing import CliRunner

from safer_gym.attacks import make_attack
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certify import certify
from safer_gym.conformance.certify.replay import recorded, replay
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.pytest_gate import certified
from safer_gym.wrappers import ObservationAdversary
from safer_gym.wrappers.tasks import Task, find_task

PAGE = Path(__file__).resolve().parent.parent / "docs" / "doors.md"
WORKS, REFUSES = "works", "refuses"
MAKE = "doors_world:make"


class Row(NamedTuple):
    """A policy and the spaces of its environment."""

    title: str
    policy: str
    obs: str = "box"
    action: str = "box"
    trust: bool = False

    @property
    def task(self) -> Task:
        """Its environment."""
        spaces = {"obs": self.obs, "action": self.action}
        return find_task(MAKE, max_steps=STEPS, env_args=spaces)

    def words(self, *options: str) -> list[str]:
        """The same in the shell."""
        trust = ["--trust"] if self.trust else []
        return [self.policy, "--env", *self.task.words, *trust, *options]


ROWS = (
    Row("a function", "doors_world:rest"),
    Row("a torch module", "doors_world:module()"),
    Row("PPO zip", "ppo.zip"),
    Row("CVPO zip", "cvpo.zip"),
    Row("TorchScript, trusted", "scripted.pt", trust=True),
    Row("ONNX", "linear.onnx"),
    Row("RecurrentPPO zip, trusted", "recurrent.zip", trust=True),
    Row("an object with a memory", "doors_world:remembering()"),
    Row("PPO zip", "ppo_discrete.zip", action="discrete"),
    Row("DQN zip", "dqn.zip", action="discrete"),
    Row("a function", "doors_world:third", action="discrete"),
    Row("PPO zip", "ppo_multidiscrete.zip", action="multidiscrete"),
    Row("PPO zip", "ppo_multibinary.zip", action="multibinary"),
    Row("PPO zip", "ppo_dict.zip", obs="dict"),
    Row("a function", "doors_world:rest", obs="dict"),
    Row("PPO zip", "ppo_image.zip", obs="image"),
    Row("PPO zip", "ppo_stacked.zip", obs="stacked"),
    Row("PPO zip", "ppo_of_discrete.zip", obs="discrete"),
    Row("PPO zip of other spaces", "ppo_multidiscrete.zip"),
)
TRAININGS = tuple(
    Row(algorithm, algorithm, obs, action)
    for algorithm in ("cvpo", "ppol")
    for obs, action in (
        ("box", "box"), ("dict", "box"), ("image", "box"), ("stacked", "box"), ("discrete", "box"),
        ("box", "discrete"), ("box", "multidiscrete"), ("box", "multibinary"),
    )
)  # fmt: skip
ATTACKS: dict[str, Any] = {"uniform": make_attack("uniform")}
SHORT: dict[str, Any] = {
    "eps": 0.1, "limit": 1, "episodes": 2, "benign_episodes": 2, "battery": ATTACKS
}  # fmt: skip
SHELL = ["--eps", "0.1", "--limit", "1", "--episodes", "2", "--benign-episodes", "2"]
LEARNED = ["--cache", "learned"]
"""What a battery learns of a policy is learned once, and not for each door."""


class Cell(NamedTuple):
    """What a door answered."""

    status: str
    said: str = ""


def loaded(row: Row) -> Any:
    """The policy in Python."""
    return load_policy(row.policy, trust=row.trust)


def python_evaluate(row: Row) -> Any:
    return evaluate(loaded(row), row.task, ["natural", "uniform"], eps=0.1, n_episodes=2)


def python_attack(row: Row) -> None:
    env: Any = ObservationAdversary(row.task.make(), "uniform", policy=loaded(row), eps=0.1)
    env.reset(seed=0)
    env.step(env.action_space.sample())


@cache
def python_certify(row: Row) -> Certificate:
    return certify(loaded(row), row.task, **SHORT)


def python_replay(row: Row) -> None:
    made = python_certify(_certifiable(row))
    note = recorded(made, "uniform", 0.1, 0)
    replay(made, loaded(row), row.task, note, battery=ATTACKS)


def pytest_marker(row: Row) -> None:
    requirement = "P(cost > 1) <= 0.9 at eps = 0.1 under attacks"
    short = {key: value for key, value in SHORT.items() if key not in ("eps", "limit")}
    told = {"max_steps": STEPS, "env_args": {"obs": row.obs, "action": row.action}}
    certified(row.policy, MAKE, requirement, folder=Path(), trust=row.trust, **told, **short)


def shell_evaluate(row: Row) -> None:
    _shell("evaluate", *row.words("--attacks", "natural,uniform", "--episodes", "2"))


def shell_attack(row: Row) -> None:
    _shell("attack", *row.words("--attacks", "uniform", "--eps", "0.1", "--episodes", "2"))


@cache
def shell_certify(row: Row) -> str:
    out = f"certificates/{ROWS.index(row)}"
    _shell("certify", *row.words(*SHELL, *LEARNED, "--battery", "quick", "--out", out))
    return f"{out}/certificate.json"


def shell_replay(row: Row) -> None:
    file = shell_certify(_certifiable(row))
    words = row.words("--attack", "uniform", "--eps", "0.1", *LEARNED)
    _shell("replay", file, "--model", *words)


def python_train(row: Row) -> None:
    from safer_gym.agents.training.plan import planned
    from safer_gym.agents.training.run import train

    with tempfile.TemporaryDirectory() as folder:
        train(planned(row.task, row.policy, Path(folder), _steps(row)), say=lambda text: None)


def shell_train(row: Row) -> None:
    with tempfile.TemporaryDirectory() as folder:
        words = ["--algorithm", row.policy, "--timesteps", str(_steps(row)), "--out", folder]
        _shell("train", *row.task.words, *words)


POLICY_DOORS: dict[str, Callable[[Row], Any]] = {
    "evaluate": python_evaluate,
    "attack": python_attack,
    "certify": python_certify,
    "replay": python_replay,
    "pytest": pytest_marker,
    "evaluate, shell": shell_evaluate,
    "attack, shell": shell_attack,
    "certify, shell": shell_certify,
    "replay, shell": shell_replay,
}
TRAINING_DOORS = {"train": python_train, "train, shell": shell_train}


class ShellError(ValueError):
    """What a command refused."""


def _shell(*words: str) -> None:
    done = CliRunner().invoke(app, list(words))
    if done.exit_code:
        told = [line for line in done.output.splitlines() if line.startswith("Error: ")]
        text = told[-1].removeprefix("Error: ") if told else done.output
        raise (ShellError if done.exit_code == 3 and len(told) == 1 else RuntimeError)(text)


def _steps(row: Row) -> int:
    return 80 if row.policy == "cvpo" else 16


def _certifiable(row: Row) -> Row:
    """The row itself if it can be certified; else one whose certificate is not of its policy."""
    return row if answer(python_certify, row).status == WORKS else ROWS[0]


def answer(door: Callable[[Row], Any], row: Row) -> Cell:
    """What a door answers; any other error than a refusal is raised."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            door(row)
    except (ValueError, TypeError) as error:
        return Cell(REFUSES, str(error))
    return Cell(WORKS)


def unclear(cell: Cell) -> str:
    """Why a refusal is not one clear line; "" where it is."""
    if cell.status == WORKS:
        return ""
    if "\n" in cell.said.strip():
        return "more than one line"
    if "Traceback" in cell.said or len(cell.said.split()) < 6:
        return "no sentence"
    return ""


@contextmanager
def prepared() -> Iterator[None]:
    """A folder with the models, as the current one."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_models(Path(folder))
        before = Path.cwd()
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
            python_certify.cache_clear()
            shell_certify.cache_clear()


Cells = dict[tuple[Row, str], Cell]


def page(cells: Cells) -> str:
    """docs/doors.md."""
    lines = [
        "# Doors",
        "",
        "What takes what: written by `PYTHONPATH=tests python -m doors_table`, and held against",
        "every cell by `tests/test_doors.py`: none may get worse. A dash is a refusal in one line.",
        "",
        "## Policies",
        "",
        *_table(("observations", "actions", "policy"), ROWS, POLICY_DOORS, cells),
        "",
        "Attacks are uniform noise and those of the quick battery. `pytest` is the marker",
        "`safe_policy`.",
        "",
        "## Training",
        "",
        *_table(("observations", "actions", "algorithm"), TRAININGS, TRAINING_DOORS, cells),
        "",
        "## What is refused, and how",
        "",
        *_refusals(cells),
    ]
    return "\n".join(lines) + "\n"


def _table(
    head: tuple[str, ...], rows: tuple[Row, ...], doors: dict[str, Any], cells: Cells
) -> Iterator[str]:
    yield "| " + " | ".join((*head, *doors)) + " |"
    yield "|" + "---|" * (len(head) + len(doors))
    for row in rows:
        marks = ("✓" if cells[row, door].status == WORKS else "–" for door in doors)
        yield "| " + " | ".join((row.obs, row.action, row.title, *marks)) + " |"


def _refusals(cells: Cells) -> Iterator[str]:
    """Each refusal once for a row, by the first door that says it."""
    seen = set()
    for (row, door), cell in cells.items():
        if cell.status == REFUSES and (row, cell.said) not in seen:
            seen.add((row, cell.said))
            text = cell.said if len(cell.said) <= 200 else f"{cell.said[:200]}..."
            yield f"- {row.title} ({row.obs} to {row.action}), {door}: {_plain(text)}"


def _plain(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in text)


def all_cells() -> Cells:
    """Every cell, computed."""
    cells: Cells = {}
    with prepared():
        for rows, doors in ((ROWS, POLICY_DOORS), (TRAININGS, TRAINING_DOORS)):
            for row in rows:
                for name, door in doors.items():
                    cells[row, name] = answer(door, row)
                    print(row.title, row.obs, row.action, name, *cells[row, name], flush=True)
    return cells


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    PAGE.write_text(page(all_cells()), encoding="utf-8")
