"""The largest cost of a step is what the task's own code allows."""

from __future__ import annotations

import gymnasium
import pytest

import safer_gym.wrappers  # noqa: F401
from safer_gym.wrappers.adapters.bullet_tasks import BULLET_TASKS


@pytest.mark.parametrize("name", ["ball-circle", "car-run", "ball-gather", "ball-reach"])
def test_no_step_costs_more_than_the_largest(name: str) -> None:
    env = gymnasium.make(BULLET_TASKS[name].id)
    largest = env.get_wrapper_attr("max_step_cost")
    assert largest == 1.0
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(40):
        _, _, terminated, truncated, info = env.step(env.action_space.sample())
        assert 0.0 <= info["cost"] <= largest
        if terminated or truncated:
            env.reset()
    env.close()
