"""`safer-gym train --seeds`: the same policies however many train side by side; a stop is kept."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer
from conformance_envs import Ladder
from typer.testing import CliRunner

from safer_gym.agents.training.curve import CurvePoint
from safer_gym.agents.training.plan import Run
from safer_gym.agents.training.run import Choice
from safer_gym.conformance.cli import trainings
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.cli.measure import parse_whole
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.stopping import stop_flag
from safer_gym.conformance.cli.trainings import train_policies
from safer_gym.conformance.workers.processes import Processes

TINY = {
    "policy_kwargs": {"net_arch": [8]},
    "episode_length": 12,
    "train_freq": 12,
    "learning_starts": 10,
    "gradient_steps": 1,
}


@dataclass(frozen=True)
class Rungs:
    """A task that takes no time."""

    name: str = "rungs"
    env_id: str = "Rungs-v0"
    words: list[str] = field(default_factory=lambda: ["rungs"])
    changes: dict[str, Any] = field(default_factory=dict)

    def make(self) -> Any:
        return Ladder(horizon=12)


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainings, "choose_policy", lambda paths, *_: Choice(paths[-1], []))


def runs(folder: Path, timesteps: int = 48) -> list[Run]:
    return [Run(Rungs(), "cvpo", timesteps, 2, TINY, s, folder / f"run-{s}") for s in (0, 1)]


def weights(run: Run) -> bytes:
    with zipfile.ZipFile(run.model) as file:
        return file.read("policy.pth")


def timeless(curves: list[list[CurvePoint]]) -> list[list[CurvePoint]]:
    return [[point._replace(seconds=0.0) for point in curve] for curve in curves]


def test_two_seeds_side_by_side_are_those_of_one_after_the_other(tmp_path: Path) -> None:
    alone, beside = runs(tmp_path / "alone"), runs(tmp_path / "beside")
    with Bar() as bar:
        first = train_policies(alone, bar, Processes(1))
        second = train_policies(beside, bar, Processes(2))
    assert [weights(run) for run in beside] == [weights(run) for run in alone]
    assert weights(alone[0]) != weights(alone[1])
    timeless = [
        [[p._replace(seconds=0.0) for p in c] for c in curves] for curves in (first, second)
    ]
    assert timeless[0] == timeless[1]


def test_a_stop_leaves_last_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent, asked = os.getpid(), runs(tmp_path, 10**6)

    @contextmanager
    def flag() -> Iterator[Callable[[], bool]]:
        if os.getpid() == parent:
            yield lambda: all((run.out / "progress.json").exists() for run in asked)
            return
        with stop_flag() as stop:
            yield stop

    monkeypatch.setattr(trainings, "stop_flag", flag)
    with Bar() as bar, pytest.raises(typer.Exit) as stopped:
        train_policies(asked, bar, Processes(2))
    assert stopped.value.exit_code == 130
    for run in asked:
        assert list((run.out / "checkpoints").iterdir())
        assert not run.model.exists()


@pytest.mark.parametrize("text", ["0,x", "-1", "1.5"])
def test_wrong_seeds_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^seeds must be whole numbers such as 0,1,2, got "):
        parse_whole("seeds", text)
    done = CliRunner().invoke(app, ["train", "cart-pole", f"--seeds={text}"])
    assert done.exit_code == 3
    assert "seeds must be" in done.stderr
