"""The grasping tasks keep Gymnasium's contract; careful hands succeed, careless ones touch."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("pybullet")

from safer_gym.wrappers.tasks import find_task
from safer_gym.wrappers.worlds.operation.arm import (
    FOREARM,
    HAND,
    SHOULDER,
    UPPER,
    Pose,
    joint_angles,
)
from safer_gym.wrappers.worlds.operation.collect import collect
from safer_gym.wrappers.worlds.operation.collectors import Collector
from safer_gym.wrappers.worlds.operation.operation import CLEAR, HIGH, LOW, NEAR, Operation
from safer_gym.wrappers.worlds.operation.tasks import N_TASKS, operation_tasks


def tip_of(angles: NDArray[np.float64]) -> Pose:
    """The pose at joint angles whose gripper points down; the inverse of `joint_angles`."""
    waist, shoulder, elbow, _, roll = (float(a) for a in angles)
    out = UPPER * math.cos(shoulder) + FOREARM * math.cos(shoulder + elbow)
    up = UPPER * math.sin(shoulder) + FOREARM * math.sin(shoulder + elbow)
    x, y = out * math.cos(waist), out * math.sin(waist)
    return Pose(x, y, up + SHOULDER - HAND, roll + waist)


@given(*(st.floats(float(a), float(b)) for a, b in zip(LOW, HIGH, strict=True)), st.floats(-3, 3))
def test_joint_angles_reach_the_pose(x: float, y: float, z: float, yaw: float) -> None:
    reach = np.hypot(np.hypot(x, y), z + HAND - SHOULDER)
    if reach < UPPER + FOREARM - 1e-3:
        np.testing.assert_allclose(
            tip_of(joint_angles(Pose(x, y, z, yaw))), (x, y, z, yaw), atol=1e-9
        )


def test_the_simulated_tip_is_where_it_was_sent() -> None:
    env = Operation(0)
    obs, _ = env.reset(seed=0)
    for _ in range(3):
        obs, *_ = env.step(np.array([0.5, -0.5, 0.2, 0.3, 0.0]))
    np.testing.assert_allclose(obs[:4], env._pose, atol=0.02)
    env.close()


@pytest.mark.parametrize("images", [False, True])
def test_gymnasiums_contract(images: bool) -> None:
    env = find_task("operation-7").make(images=images, render_mode="rgb_array")
    check_env(env.unwrapped)
    env.reset(seed=0)
    picture = env.render()
    assert picture is not None
    assert picture.std() > 5
    env.close()


def test_the_same_seed_is_the_same_episode() -> None:
    def episode() -> list[Any]:
        env, rng = Operation(7, blur=0.01), np.random.default_rng(0)
        seen = [env.reset(seed=3)[0]]
        seen += [env.step(rng.uniform(-1, 1, 5))[0] for _ in range(8)]
        again = [env.reset(seed=3)[0]]
        env.close()
        np.testing.assert_array_equal(again[0], seen[0])
        return seen

    np.testing.assert_array_equal(episode(), episode())


def played(task: int, collector: Collector, seed: int) -> tuple[bool, float]:
    env, rng, cost = Operation(task), np.random.default_rng(seed), 0.0
    obs, info = env.reset(seed=seed)
    for _ in range(40):
        obs, reward, done, _, info = env.step(collector.act(obs, rng))
        cost += info["cost"]
        assert reward == (1.0 if done else -1.0)
        if done:
            break
    env.close()
    return bool(info["success"]), cost


def test_a_careful_hand_succeeds_without_touching() -> None:
    found = [played(task, Collector("careful", 0.0), 1) for task in range(0, 40, 8)]
    assert sum(success for success, _ in found) >= 4
    assert sum(cost == 0 for _, cost in found) >= 4


def test_a_naive_hand_touches_more_than_a_careful_one() -> None:
    seeds, kinds = range(6), ("careful", "naive")
    careful, naive = (sum(played(7, Collector(k, 0.1), s)[1] for s in seeds) for k in kinds)
    assert naive > careful


@pytest.mark.parametrize(("beside", "above", "out"), [
    (0.0, 0.01, True), (NEAR + 0.03, 0.01, False), (0.0, -0.01, False),
])  # fmt: skip
def test_success_is_an_object_out_and_near_the_tip(beside: float, above: float, out: bool) -> None:
    env = Operation(0)
    env.reset(seed=0)
    tip, height = env.scene.tip(), env.task.height + CLEAR + above
    lowered = Pose(tip.x, tip.y, height, tip.yaw)
    env.scene.reset(lowered, env._centre, Pose(tip.x, tip.y, 0.0, 0.0))
    tip, client, turn = env.scene.tip(), env.scene.client, [0.0, 0.0, 0.0, 1.0]
    place = [tip.x + beside, tip.y, height]
    client.resetBasePositionAndOrientation(env.scene.object, place, turn)
    assert env._is_out() == out
    env.close()


@pytest.mark.parametrize("number", range(N_TASKS))
def test_gymnasium_makes_every_task_by_its_id(number: int) -> None:
    env = gym.make(f"SaferGym/Operation{number}-v0")
    assert env.unwrapped.task.number == number
    obs, _ = env.reset(seed=0)
    assert env.observation_space.contains(obs)
    env.close()


def test_pressing_on_a_wall_costs() -> None:
    env = Operation(0)
    env.reset(seed=0)
    wall = np.add([*env._centre, 0.0], [env.scene.container.half, 0.0, 0.02])
    costs = []
    for _ in range(15):
        move = np.clip((wall - env._pose[:3]) / 0.03, -1, 1)
        costs.append(env.step(np.array([*move, 0.0, -1.0]))[4]["cost"])
    env.close()
    assert costs[0] == 0.0
    assert costs[-3:] != [0.0, 0.0, 0.0]


def test_the_tasks_are_forty_and_always_the_same() -> None:
    tasks = operation_tasks()
    assert len({task.object_file for task in tasks}) == len(tasks) == 40
    assert tasks == operation_tasks()


def test_blur_hides_the_size_of_the_container() -> None:
    env = Operation(0, blur=0.015)
    env.reset(seed=0)
    for what in (lambda: env.reset()[0], lambda: env.step(np.zeros(5))[0]):
        halves = [what()[12] for _ in range(20)]
        assert np.std(halves) == pytest.approx(0.015, rel=0.5)
    assert env.state()[12] == pytest.approx(env.scene.container.half)
    env.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": 40}, r"task must be an integer in \[0, 40\)"),
        ({"task": 1.5}, "task must be an integer"),
        ({"blur": -1.0}, "blur must be a finite number >= 0"),
        ({"render_mode": "human"}, "render_mode must be one of 'rgb_array'"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Operation(**options)


def test_collected_data_is_whole_episodes_with_seeds() -> None:
    data, again = collect(60, seed=4), collect(60, seed=4)
    assert all((data[name] == again[name]).all() for name in data)
    ends = data["terminals"] | data["timeouts"]
    assert ends[-1]
    assert (np.flatnonzero(np.diff(data["episode_id"])) == np.flatnonzero(ends[:-1])).all()
    assert (data["success"][ends] == data["terminals"][ends]).all()
    assert np.abs(data["actions"]).max() <= 0.9


def test_what_is_observed_changes_no_collectors_action() -> None:
    plain, blurred, seen = (collect(5, 4, **o) for o in ({}, {"blur": 0.01}, {"images": True}))
    np.testing.assert_array_equal(plain["actions"], seen["actions"])
    assert seen["observations"].shape[1:] == (3, 48, 48)
    assert seen["observations"].dtype == np.uint8
    np.testing.assert_array_equal(plain["actions"], blurred["actions"])
    assert blurred["observations"][:, 12].std() > 0.004 > plain["observations"][:, 12].std()
