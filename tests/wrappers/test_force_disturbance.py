"""A force on a body acts during one step, and during all of it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from adversary_toys import PointEnv

from safer_gym.wrappers import DisturbanceAdversary, ForceDisturbance

PUSH = np.array([3.0, 0.0, 0.0], np.float32)


def ball() -> gym.Env:
    return gym.make("SaferGym/BallCircle-v0", disable_env_checker=True)


def walker() -> gym.Env:
    return gym.make("Walker2d-v5", disable_env_checker=True)


def place(env: Any) -> np.ndarray:
    inner = env.unwrapped
    return inner.world.position() if hasattr(inner, "world") else inner.data.qpos[:2].copy()


def walk(env: gym.Env, pushes: list[Any]) -> list[np.ndarray]:
    env.reset(seed=0)
    places = []
    for push in pushes:
        if push is not None:
            env.unwrapped.disturb(push)  # type: ignore[attr-defined]
        env.step(np.zeros(env.action_space.shape, np.float32))
        places.append(place(env))
    env.close()
    return places


CASES = [(ball, None), (walker, "torso")]


@pytest.fixture(params=CASES, ids=["bullet", "mujoco"])
def make_env(request: pytest.FixtureRequest) -> Any:
    make, body = request.param
    if make is walker:
        pytest.importorskip("mujoco")
    if body is None:
        env = make()
        world = env.unwrapped.world
        body = world.client.getBodyInfo(world.robot.body_id)[0].decode()
        env.close()
    return lambda: ForceDisturbance(make(), body, bound=(5.0, 0.0, 5.0)), make


def test_without_a_push_nothing_changes(make_env: Any) -> None:
    wrapped, raw = make_env
    np.testing.assert_array_equal(walk(wrapped(), [None] * 4), walk(raw(), [None] * 4))
    np.testing.assert_array_equal(walk(wrapped(), [0 * PUSH] * 4), walk(raw(), [None] * 4))


def test_a_push_moves_the_body_its_way_and_is_gone_after_the_step(make_env: Any) -> None:
    wrapped, _ = make_env
    still, pushed = walk(wrapped(), [None] * 4), walk(wrapped(), [PUSH, None, None, None])
    other = walk(wrapped(), [-PUSH, None, None, None])
    assert pushed[-1][0] > still[-1][0] > other[-1][0]
    longer = walk(wrapped(), [PUSH, PUSH, None, None])
    assert longer[-1][0] > pushed[-1][0]
    np.testing.assert_array_equal(longer[0], pushed[0])


def test_it_is_an_environment_for_the_disturbance_adversary(make_env: Any) -> None:
    wrapped, _ = make_env
    env = DisturbanceAdversary(wrapped(), "uniform", eps=2.0, norm="l2")
    env.reset(seed=0)
    for _ in range(3):
        record = env.step(env.action_space.sample())[-1]["adversary"]
        assert record["norm"] <= 2.0
        assert record["disturbance"][1] == 0.0
    env.close()


def test_bodies_and_engines_that_there_are_not_are_named() -> None:
    with pytest.raises(ValueError, match=r"body must be one of '.*'; got 'nose'"):
        ForceDisturbance(ball(), "nose", 1.0)
    with pytest.raises(ValueError, match=r"MuJoCo environment or a Bullet task.*ActionDisturbance"):
        ForceDisturbance(PointEnv(), "torso", 1.0)
