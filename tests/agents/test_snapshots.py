"""Policies kept on the way: each step once, whole files only, never the end of a training."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance_envs import Ladder
from stable_baselines3 import SAC
from stable_baselines3.common.env_util import make_vec_env

from safer_gym.agents.training.snapshots import SnapshotCallback, snapshots


def small_sac() -> SAC:
    envs = make_vec_env(Ladder, n_envs=2, seed=0)
    return SAC("MlpPolicy", envs, buffer_size=500, learning_starts=200, device="cpu", seed=0)


def test_each_step_is_kept_once_and_can_be_loaded(tmp_path: Path) -> None:
    small_sac().learn(100, callback=SnapshotCallback(tmp_path, [90, 30, 60]))
    kept = snapshots(tmp_path)
    assert [path.stem for path in kept] == ["step_000000030", "step_000000060", "step_000000090"]
    assert SAC.load(kept[1], device="cpu").num_timesteps == 60


def test_a_resumed_training_does_not_repeat_a_step(tmp_path: Path) -> None:
    model = small_sac()
    model.learn(50, callback=SnapshotCallback(tmp_path, [30, 60]))
    first = snapshots(tmp_path)[0].stat().st_mtime_ns
    model.learn(50, callback=SnapshotCallback(tmp_path, [30, 60]), reset_num_timesteps=False)
    assert [path.stem for path in snapshots(tmp_path)] == ["step_000000030", "step_000000060"]
    assert snapshots(tmp_path)[0].stat().st_mtime_ns == first


def test_a_full_disk_costs_a_snapshot_and_not_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_sac()

    def full(path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model, "save", full)
    model.learn(100, callback=SnapshotCallback(tmp_path, [30]))
    assert model.num_timesteps == 100
    assert list(tmp_path.iterdir()) == []
