"""The Bullet tasks keep Gymnasium's contract, and say clearly what is wrong."""

from __future__ import annotations

import copy
import importlib.util
import pickle
import random
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError, DependencyNotInstalled
from gymnasium.utils.env_checker import check_env, data_equivalence
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from safer_gym.wrappers.adapters import bullet_engine
from safer_gym.wrappers.adapters.bullet_tasks import BULLET_TASKS, PAPER_TASKS
from safer_gym.wrappers.tasks import make_task

pytest.importorskip("pybullet")
from safer_gym.wrappers.adapters.bullet import BulletTask


@pytest.mark.parametrize("name", BULLET_TASKS)
def test_both_environment_checkers_pass(name):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is different from the unwrapped version.*")
        check_env(gymnasium.make(BULLET_TASKS[name].id, render_mode="rgb_array").unwrapped)
        sb3_check_env(make_task(name))


@pytest.mark.parametrize("name", BULLET_TASKS)
def test_values_have_plain_types(name):
    env = BulletTask(name)
    env.action_space.seed(0)
    obs, info = env.reset(seed=0)
    assert obs.dtype == np.float32
    assert "cost" not in info
    obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert obs.dtype == np.float32
    assert type(reward) is float
    assert type(terminated) is bool
    assert truncated is False
    assert {"cost", *env.task.cost_keys} <= set(info)
    assert all(type(value) is float for key, value in info.items() if key != "position")
    assert info["position"].shape == (2,)


@pytest.mark.parametrize("name", PAPER_TASKS)
def test_time_limit_is_the_papers(name):
    env = make_task(name)
    env.reset(seed=1)
    truncated = False
    for _ in range(env.unwrapped.task.horizon):
        assert not truncated
        *_, terminated, truncated, _ = env.step(np.zeros(env.action_space.shape, np.float32))
        if terminated:
            return
    assert truncated


def test_cost_falls_exactly_beyond_the_boundary():
    env = BulletTask("ball-circle")
    env.reset(seed=0)
    seen = set()
    for _ in range(60):
        *_, info = env.step(np.array([1.0, 0.0], np.float32))
        assert info["cost"] == float(abs(info["position"][0]) > env.geometry.x_limit)
        seen.add(info["cost"])
    assert seen == {0.0, 1.0}


@pytest.mark.parametrize("name", ["car-circle", "ant-run", "drone-run"])
def test_actions_are_clipped(name):
    """Release 1.4.0 clips the car's commands and 1.1.0 does not; ours are clipped in both."""
    ends = []
    for scale in (1.0, 3.0):
        env = BulletTask(name)
        env.reset(seed=0)
        for _ in range(20):
            step = env.step(np.full(env.action_space.shape, scale, np.float32))
        ends.append(step)
    assert data_equivalence(ends[0], ends[1], exact=True)


def test_global_generators_are_neither_used_nor_moved():
    episodes = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        before = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
        env = BulletTask("ball-push")
        episodes.append(env.reset(seed=5))
        env.step(env.action_space.sample())
        after = np.random.get_state()[1], random.getstate()  # noqa: NPY002
        assert np.array_equal(before[0], after[0])
        assert before[1] == after[1]
    assert data_equivalence(episodes[0], episodes[1], exact=True)


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_has_a_world_of_its_own(copier):
    env = BulletTask("car-circle")
    first = env.reset(seed=3)
    twin = copier(env)
    twin.reset(seed=9)
    twin.step(np.ones(2, np.float32))
    assert data_equivalence(twin.reset(seed=3), first, exact=True)
    twin.close()
    env.step(np.ones(2, np.float32))


def test_building_prints_nothing(capfd):
    BulletTask("drone-reach").reset(seed=0)
    assert capfd.readouterr() == ("", "")


def test_the_users_own_import_of_the_upstream_package_is_left_alone():
    def upstream():
        return {name for name in sys.modules if name.split(".")[0] == "bullet_safety_gym"}

    before = upstream()  # other tests in this process may have imported it for themselves
    BulletTask("ball-run")
    assert upstream() == before


def test_render_is_a_picture_of_the_scene():
    env = BulletTask("ball-circle", render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    assert first.shape == (360, 480, 3)
    assert first.dtype == np.uint8
    for _ in range(20):
        env.step(np.ones(2, np.float32))
    assert (env.render() != first).any()
    assert env.metadata["render_fps"] == 10


def test_looking_changes_nothing():
    ends = []
    for look in (False, True):
        env = BulletTask("ant-run", render_mode="rgb_array")
        env.reset(seed=0)
        for _ in range(5):
            step = env.step(np.full(8, 0.5, np.float32))
            if look:
                env.render()
        ends.append(step)
    assert data_equivalence(ends[0], ends[1], exact=True)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"render_mode must be one of 'rgb_array'"):
        BulletTask("ball-circle", render_mode="human")
    env = BulletTask("ball-circle")
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"shape \(2,\); got shape \(3,\)"):
        env.step(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match=r"action must be finite"):
        env.step(np.array([np.nan, 0.0], np.float32))
    env.close()
    env.close()
    with pytest.raises(ClosedEnvironmentError, match=r"has been closed"):
        env.reset()


def test_a_missing_simulator_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    bullet_engine.load_engine.cache_clear()
    try:
        with pytest.raises(DependencyNotInstalled, match=r"safer-gym\[bullet\]"):
            BulletTask("ball-circle")
    finally:
        bullet_engine.load_engine.cache_clear()
