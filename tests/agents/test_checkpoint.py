"""Checkpoints: whole or not at all, resumed where they stopped, kept when the disk is full."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conformance_envs import HORIZON, Ladder
from stable_baselines3 import SAC
from stable_baselines3.common.env_util import make_vec_env

from safer_gym.agents.training.checkpoint import (
    CheckpointCallback,
    latest_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from safer_gym.agents.training.curve import CurvePoint, EpisodeSums, read_curve, write_curve


def small_sac(n_envs: int = 2) -> SAC:
    envs = make_vec_env(Ladder, n_envs=n_envs, seed=0)
    return SAC("MlpPolicy", envs, buffer_size=500, learning_starts=10, device="cpu", seed=0)


def test_a_run_leaves_one_whole_checkpoint_with_its_curve(tmp_path: Path) -> None:
    model = small_sac()
    model.learn(100, callback=CheckpointCallback(tmp_path, every_seconds=0.0, rows=5))
    folder = latest_checkpoint(tmp_path)
    assert folder is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", folder.name]
    loaded, curve = load_checkpoint(SAC, folder, make_vec_env(Ladder, n_envs=2))
    assert loaded.num_timesteps == model.num_timesteps == 100
    assert loaded.replay_buffer.size() == model.replay_buffer.size()
    assert curve[-1].timesteps == 100
    assert len(curve) >= 5


def test_a_resumed_run_goes_on_counting(tmp_path: Path) -> None:
    small_sac().learn(40, callback=CheckpointCallback(tmp_path, rows=4))
    folder = latest_checkpoint(tmp_path)
    assert folder is not None
    model, curve = load_checkpoint(SAC, folder, make_vec_env(Ladder, n_envs=2))
    callback = CheckpointCallback(tmp_path, curve=curve, rows=4)
    model.learn(40, callback=callback, reset_num_timesteps=False)
    assert model.num_timesteps == 80
    steps = [point.timesteps for point in callback.curve]
    assert steps == sorted(steps)
    assert steps[-1] == 80
    assert callback.curve[-1].seconds > curve[-1].seconds


def test_the_cut_episode_is_marked_as_ended_by_time(tmp_path: Path) -> None:
    small_sac().learn(8, callback=CheckpointCallback(tmp_path))
    folder = latest_checkpoint(tmp_path)
    assert folder is not None
    model, _ = load_checkpoint(SAC, folder, make_vec_env(Ladder, n_envs=2))
    buffer = model.replay_buffer
    assert buffer.timeouts[buffer.pos - 1].all()
    assert not buffer.timeouts[: buffer.pos - 1].any()


def test_a_full_disk_keeps_the_last_good_checkpoint_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_sac()
    model.learn(20, callback=CheckpointCallback(tmp_path))
    good = latest_checkpoint(tmp_path)

    def full(self: SAC, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(SAC, "save_replay_buffer", full)
    said: list[str] = []
    callback = CheckpointCallback(tmp_path, every_seconds=0.0, report=said.append)
    with pytest.raises(OSError, match="No space"):
        model.learn(20, callback=callback, reset_num_timesteps=False)
    assert said
    assert str(good) in said[0]
    assert latest_checkpoint(tmp_path) == good
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", good.name]  # type: ignore[union-attr]


def test_without_a_complete_checkpoint_there_is_none(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path) is None
    (tmp_path / "latest").write_text("step_000000007")
    assert latest_checkpoint(tmp_path) is None


def test_stop_ends_training_with_a_checkpoint(tmp_path: Path) -> None:
    model = small_sac()
    callback = CheckpointCallback(tmp_path, stop=lambda: model.num_timesteps >= 30)
    model.learn(10_000, callback=callback)
    assert latest_checkpoint(tmp_path) == tmp_path / "step_000000030"


ENDLESS = """
import sys
from pathlib import Path
from test_checkpoint import small_sac
from safer_gym.agents.training.checkpoint import CheckpointCallback
small_sac().learn(10**7, callback=CheckpointCallback(Path(sys.argv[1]), every_seconds=0.05))
"""


def test_kill_leaves_a_checkpoint_that_loads(tmp_path: Path) -> None:
    here = Path(__file__).parent
    paths = [str(here), str(here.parent), *sys.path]
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
    )
    try:
        for _ in range(3000):
            if latest_checkpoint(tmp_path) is not None or process.poll() is not None:
                break
            time.sleep(0.1)
        time.sleep(0.33)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    folder = latest_checkpoint(tmp_path)
    assert folder is not None
    model, _ = load_checkpoint(SAC, folder, make_vec_env(Ladder, n_envs=2))
    assert model.num_timesteps == int(folder.name.removeprefix("step_"))
    save_checkpoint(model, tmp_path, [])


def test_episode_sums_are_per_environment() -> None:
    sums = EpisodeSums(window=2)
    sums.add(np.array([1.0, 10.0]), [0.5, 0.0], np.array([False, True]))
    sums.add(np.array([2.0, 20.0]), [0.5, 3.0], np.array([True, False]))
    assert list(sums.finished) == [(10.0, 0.0), (3.0, 1.0)]
    assert sums.point(4, 1.5) == CurvePoint(4, 6.5, 0.5, 1.5, 4.0)
    sums.add(np.array([0.0, 1.0]), [0.0, 1.0], np.array([False, True]))
    assert list(sums.finished) == [(3.0, 1.0), (21.0, 4.0)]


def test_the_curve_knows_true_sums(tmp_path: Path) -> None:
    """In a Ladder whose action is the sum of what it pays, cost and length are tied."""
    callback = CheckpointCallback(tmp_path)
    small_sac(n_envs=1).learn(HORIZON, callback=callback)
    row = callback.curve[-1]
    assert row.timesteps == HORIZON
    assert row.ep_cost_mean > 0.0


def test_a_curve_without_the_total_cost_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    path.write_text("timesteps,ep_rew_mean,ep_cost_mean,seconds\n10,1.5,0.25,2.0\n")
    (point,) = read_curve(path)
    assert point[:4] == (10, 1.5, 0.25, 2.0)
    assert np.isnan(point.total_cost)
    assert np.isnan(EpisodeSums(total_cost=point.total_cost).total_cost + 1.0)


def test_curve_files_read_back(tmp_path: Path) -> None:
    points = [CurvePoint(10, 1.5, 0.25, 2.0, 7.5), CurvePoint(20, -3.0, 0.0, 4.5, 8.0)]
    write_curve(tmp_path / "curve.csv", points)
    assert read_curve(tmp_path / "curve.csv") == points
    assert read_curve(tmp_path / "missing.csv") == []
