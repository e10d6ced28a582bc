"""`safer-gym train --overlap`: its settings, its record, a resume, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from near_remote import Near
from typer.testing import CliRunner

from safer_gym.agents.overlap import ahead
from safer_gym.agents.training.checkpoint import CheckpointCallback
from safer_gym.agents.training.plan import Run
from safer_gym.agents.training.run import Choice
from safer_gym.conformance.cli import trainings as train_module
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.trainings import train_policy
from safer_gym.wrappers.tasks import find_task

KWARGS = {"policy_kwargs": {"net_arch": [8]}, "learning_starts": 200, "gradient_steps": 2}


@pytest.fixture(autouse=True)
def near(monkeypatch: pytest.MonkeyPatch) -> list[Near]:
    """No second process, and no choice among the policies; returns what was started."""
    started: list[Near] = []

    def start(*args: Any) -> Near:
        started.append(Near(*args))
        return started[-1]

    monkeypatch.setattr(ahead, "Remote", start)
    monkeypatch.setattr(train_module, "choose_policy", lambda paths, *_: Choice(paths[-1], []))
    return started


def small_run(out: Path, timesteps: int, *, overlap: bool) -> Run:
    task = find_task("ball-circle")
    return Run(task, "cvpo", timesteps, 2, KWARGS, 0, out, overlap=overlap)


def test_it_is_a_setting_and_in_the_record(tmp_path: Path, near: list[Near]) -> None:
    with Bar() as bar:
        train_policy(small_run(tmp_path, 800, overlap=True), bar)
        with pytest.raises(ValueError, match="no-resume"):
            train_policy(small_run(tmp_path, 800, overlap=False), bar)
    assert near[0].methods.count("gather") == 2
    record = json.loads((tmp_path / "model.json").read_text())
    assert record["overlap"] is True
    assert record["command"].endswith("--timesteps 800 --seed 0 --overlap")


def test_folders_from_before_there_was_a_choice_go_on(tmp_path: Path) -> None:
    assert "overlap" not in small_run(tmp_path, 800, overlap=False).settings()


def test_a_stopped_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: list[Near]
) -> None:
    with monkeypatch.context() as patched, Bar() as bar:
        patched.setattr(CheckpointCallback, "_on_step", lambda self: self.num_timesteps < 600)
        patched.setattr(train_module, "stop_flag", _stopped)
        with pytest.raises(typer.Exit):
            train_policy(small_run(tmp_path, 1200, overlap=True), bar)
    with Bar() as bar:
        curve = train_policy(small_run(tmp_path, 1200, overlap=True), bar)
    assert len(near) == 2
    assert curve[-1].timesteps >= 1200


class _stopped:  # noqa: N801
    def __enter__(self) -> Any:
        return lambda: True

    def __exit__(self, *_: object) -> None:
        pass


def test_an_error_closes_the_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: list[Near]
) -> None:
    closed: list[Near] = []
    monkeypatch.setattr(Near, "close", lambda self: closed.append(self))
    monkeypatch.setattr(CheckpointCallback, "_on_step", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError), Bar() as bar:
        train_policy(small_run(tmp_path, 800, overlap=True), bar)
    assert closed == near


def test_on_policy_recipes_are_refused() -> None:
    result = CliRunner().invoke(app, ["train", "ball-circle", "--algorithm", "ppol", "--overlap"])
    assert result.exit_code == 3
    assert "overlap needs an off-policy algorithm" in " ".join(result.stderr.split())
