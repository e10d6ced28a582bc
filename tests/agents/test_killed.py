"""A training killed at any moment, and its folder: one run at a time, nothing of another run."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from agent_envs import TINY, Timed
from kills import changes, emptied, killed, moments

from safer_gym.agents import CVPO
from safer_gym.agents.training.checkpoint import CheckpointCallback, latest_checkpoint
from safer_gym.agents.training.claim import OWNER, claimed, differences
from safer_gym.agents.training.plan import Run
from safer_gym.agents.training.run import train
from safer_gym.wrappers.tasks import Task

KWARGS = {key: value for key, value in TINY.items() if key not in ("seed", "device")}


class Clock(Task):
    """A task of somebody's own."""

    def make(self, **options: Any) -> Any:
        return Timed()


def clock_run(out: Path, timesteps: int = 80, seed: int = 0, **kwargs: Any) -> Run:
    return Run(Clock("clock", "Clock-v0"), "cvpo", timesteps, 2, KWARGS | kwargs, seed, out)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = CVPO.load(folder / "model.zip").policy.state_dict()
    return found


def assert_same(first: Path, second: Path) -> None:
    one, two = weights(first), weights(second)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save between any two rounds."""
    original = CheckpointCallback.__init__

    def patched(self: CheckpointCallback, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.every_seconds = 0.0

    monkeypatch.setattr(CheckpointCallback, "__init__", patched)


def test_a_killed_training_ends_as_one_that_was_not(tmp_path: Path) -> None:
    """It has no checkpoint before its end, so that it starts over, or has only to finish."""
    train(clock_run(tmp_path / "whole"))
    folder = tmp_path / "killed"
    count = changes(lambda: train(clock_run(folder)), folder)
    for moment in moments(0, count, 5):
        emptied(folder)
        killed(lambda: train(clock_run(folder)), folder, moment)
        assert train(clock_run(folder)).finished
        assert_same(folder, tmp_path / "whole")
        assert json.loads((folder / "model.json").read_text())["timesteps"] == 80


def test_two_resumes_of_a_killed_training_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    often(monkeypatch)
    folder, twin = tmp_path / "first", tmp_path / "second"
    count = changes(lambda: train(clock_run(folder)), folder)
    for moment in moments(1, count, 3):
        emptied(folder)
        killed(lambda: train(clock_run(folder)), folder, moment)
        shutil.copytree(folder, emptied(twin), dirs_exist_ok=True)
        for run in (clock_run(folder), clock_run(twin)):
            trained = train(run)
            assert (trained.finished, trained.timesteps) == (True, 80)
        assert_same(folder, twin)
        assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
            "latest",
            "step_000000080",
        ]


def test_starting_over_keeps_nothing_of_the_run_before(tmp_path: Path) -> None:
    """Both end at the same step: the old checkpoint's folder has the name of the new one."""
    train(clock_run(tmp_path / "seed 1", seed=1))
    folder = tmp_path / "run"
    train(clock_run(folder))
    with pytest.raises(ValueError, match="seed is 0 there and 1 here"):
        train(clock_run(folder, seed=1))
    train(clock_run(folder, seed=1), resume=False)
    assert_same(folder, tmp_path / "seed 1")
    checkpoint = latest_checkpoint(folder / "checkpoints")
    assert checkpoint is not None
    assert CVPO.load(checkpoint / "model.zip").seed == 1


def test_starting_over_removes_the_checkpoints_at_once(tmp_path: Path) -> None:
    train(clock_run(tmp_path))
    with claimed(tmp_path, {}, resume=False):
        assert not (tmp_path / "checkpoints").exists()


def test_starting_over_killed_at_any_moment_never_mixes_two_runs(tmp_path: Path) -> None:
    train(clock_run(tmp_path / "seed 1", seed=1))
    old, folder = tmp_path / "old", tmp_path / "run"
    train(clock_run(old))

    def over() -> None:
        train(clock_run(folder, seed=1), resume=False)

    shutil.copytree(old, folder)
    count = changes(over, folder)
    for moment in moments(2, count, 4):
        shutil.copytree(old, emptied(folder), dirs_exist_ok=True)
        killed(over, folder, moment)
        over()
        assert_same(folder, tmp_path / "seed 1")
        shutil.copytree(old, emptied(folder), dirs_exist_ok=True)
        killed(over, folder, moment)
        seed = json.loads((folder / "settings.json").read_text())["seed"]
        train(clock_run(folder, seed=seed))
        assert_same(folder, tmp_path / "seed 1" if seed else old)


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    run = clock_run(tmp_path)
    with claimed(tmp_path, run.settings(), resume=True):
        for resume in (True, False):
            with pytest.raises(ValueError, match=r"is in use: process \d+ on .* trains there"):
                train(run, resume=resume)
    assert train(run).finished


def test_a_killed_process_lets_go_of_the_folder(tmp_path: Path) -> None:
    def hold() -> None:
        with claimed(tmp_path, {}, resume=True):
            (tmp_path / "held").mkdir()
            os.kill(os.getpid(), signal.SIGKILL)

    killed(hold, tmp_path, -1)
    assert (tmp_path / "held").exists()
    assert re.fullmatch(r"process \d+ on .+\n", (tmp_path / OWNER).read_text())
    with claimed(tmp_path, {}, resume=True):
        pass


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"timesteps": 120}, ""),
        ({"seed": 3}, "seed is 0 there and 3 here"),
        ({"gamma": 0.5}, "kwargs.gamma is 0.9 there and 0.5 here"),
    ],
)
def test_what_differs_is_named(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    with claimed(tmp_path, clock_run(tmp_path).settings(), resume=True):
        pass
    again = clock_run(tmp_path, **change)
    if not words:
        with claimed(tmp_path, again.settings(), resume=True):
            return
    with (
        pytest.raises(ValueError, match=words),
        claimed(tmp_path, again.settings(), resume=True),
    ):
        pytest.fail("it was claimed")


def test_another_version_is_another_run_and_none_is_any(tmp_path: Path) -> None:
    old = clock_run(tmp_path).settings()
    assert differences({**old, "version": "0"}, old) == [
        f"version is 0 there and {old['version']} here"
    ]
    del old["version"]
    with claimed(tmp_path, old, resume=True):
        pass
    with claimed(tmp_path, clock_run(tmp_path).settings(), resume=True):
        pass


def test_a_checkpoint_of_nobody_is_not_resumed(tmp_path: Path) -> None:
    train(clock_run(tmp_path))
    (tmp_path / "settings.json").unlink()
    with pytest.raises(ValueError, match="a checkpoint of an unknown run"):
        train(clock_run(tmp_path))


@pytest.mark.parametrize("name", ["../../other", "/tmp", "step_1", "", "step_000000040/../x"])
def test_the_pointer_names_a_checkpoint_beside_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "latest").write_text(name)
    with pytest.raises(ValueError, match="must name a checkpoint"):
        latest_checkpoint(tmp_path)
