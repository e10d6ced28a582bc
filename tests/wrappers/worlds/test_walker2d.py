"""Walker2D is Walker2d-v5 with a constraint function, a cost and pushes on its torso."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled
from gymnasium.utils.env_checker import check_env

from safer_gym.wrappers.tasks import find_task

WORLD = "safer_gym.wrappers.worlds.walker2d"


def walker(**options: Any) -> Any:
    pytest.importorskip("mujoco")
    return find_task("walker2d").make(**options).unwrapped


def test_gymnasiums_contract() -> None:
    env, task = walker(), find_task("walker2d")
    check_env(env, skip_render_check=True)
    assert env.observation_space.shape == (task.obs_size,)
    assert env.action_space.shape == (task.action_size,)
    assert task.make().spec.max_episode_steps == task.horizon == 1000


def test_undisturbed_it_is_walker2d_v5() -> None:
    env, plain, rng = walker(), gym.make("Walker2d-v5").unwrapped, np.random.default_rng(0)
    obs, info = env.reset(seed=3)
    np.testing.assert_array_equal(obs, plain.reset(seed=3)[0].astype(np.float32))
    for _ in range(30):
        action = rng.uniform(-1, 1, 6).astype(np.float32)
        obs, reward, terminated, _, info = env.step(action)
        same, own, over, _, _ = plain.step(action)
        np.testing.assert_array_equal(obs, same.astype(np.float32))
        assert (reward, terminated) == (float(own), bool(over))
        if not terminated:
            speed = info["x_velocity"]
            assert reward == pytest.approx(speed + 1 - 1e-3 * float((action**2).sum()))


def test_h_is_the_nearest_of_three_limits() -> None:
    env, found = walker(), set()
    for seed in range(60):
        obs, info = env.reset(seed=seed, options={"start": "wide"})
        height, speed = float(obs[0]), float(obs[8])
        nearest = min(height - 1, (1.8 - height) / 1.8, (1.5 - speed) / 1.5)
        assert info["h"] == pytest.approx(nearest, abs=1e-5)
        assert info["cost"] == float(info["h"] < 0)
        found.add(info["cost"])
    assert found == {0.0, 1.0}
    assert all(env.reset(seed=seed)[1]["h"] > 0.1 for seed in range(20))


def test_a_push_counts_for_one_step() -> None:
    def speeds(push: list[float]) -> list[float]:
        env = walker()
        env.reset(seed=0)
        env.disturb(push)
        found = []
        for _ in range(2):
            before = float(env.data.qvel[0])
            env.step(np.zeros(6))
            found.append(float(env.data.qvel[0]) - before)
        assert (env.data.xfrc_applied == 0).all()
        return found

    ahead, back, quiet = speeds([10.0, 0.0]), speeds([-10.0, 0.0]), speeds([0.0, 0.0])
    assert ahead[0] > quiet[0] + 0.005 > back[0] + 0.01
    assert ahead[1] == pytest.approx(quiet[1], abs=0.005)


def test_bad_input_is_refused() -> None:
    env = walker()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="disturbance must lie in"):
        env.disturb([10.1, 0.0])
    with pytest.raises(ValueError, match="Did you mean 'wide'"):
        env.reset(options={"start": "wild"})
    with pytest.raises(ValueError, match="bound must be a finite number >= 0"):
        walker(bound=-1.0)
    assert (walker(bound=0.0).disturbance_space.high == 0).all()


def test_a_missing_mujoco_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.startswith("gymnasium.envs.mujoco")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, WORLD, raising=False)
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(DependencyNotInstalled, match=r"safer-gym\[mujoco\]"):
        importlib.import_module(WORLD)
