"""The Stable-Baselines3 tracker says the same as one tracker in each environment."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_env import ScriptedCosts
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

from safer_gym.wrappers import CostTracker, VecCostTracker

SCRIPTS = st.lists(
    st.lists(st.lists(st.floats(0, 5), min_size=1, max_size=4), min_size=1, max_size=3),
    min_size=1,
    max_size=3,
)
SOURCES = [
    None,
    lambda obs, action, after, info: abs(float(after[1] - obs[1])) + info["cost"],
    {"own": "cost", "place": lambda obs, action, after, info: float(after[0]) + float(action[0])},
]


def dummy(scripts, wrap=lambda env: env):
    return DummyVecEnv([lambda script=script: wrap(ScriptedCosts(script)) for script in scripts])


def trace(env, steps=8):
    env.seed(0)
    shown = [(env.reset().copy(),)]
    for step in range(steps):
        obs, rewards, dones, infos = env.step(np.full((env.num_envs, 1), 0.1 * step, np.float32))
        for info in infos:
            info.get("episode", {}).pop("t", None)
        shown.append((obs.copy(), rewards, dones, tuple(infos)))
    return shown


@pytest.mark.parametrize("source", SOURCES, ids=["key", "function", "constraints"])
@settings(max_examples=25)
@given(scripts=SCRIPTS)
def test_vec_tracker_is_the_twin_of_single_ones(source, scripts):
    options = {"budget": 6.0, "observe_budget": True}
    single = dummy(scripts, lambda env: CostTracker(Monitor(env), source, **options))
    twin = VecCostTracker(dummy(scripts, Monitor), source, **options)
    assert twin.observation_space == single.observation_space
    assert data_equivalence(tuple(trace(single)), tuple(trace(twin)), exact=True)


class ReadsTheNextEpisode(VecCostTracker):
    """What the twin test must catch: the observation after an end belongs to a new episode."""

    def _counted(self, row, obs, done, info):
        return super()._counted(row, obs, False, info)


def test_the_twin_test_catches_a_broken_tracker():
    scripts, source = [[[1.0, 2.0], [3.0]]], SOURCES[1]
    single = tuple(trace(dummy(scripts, lambda env: CostTracker(env, source))))
    good = tuple(trace(VecCostTracker(dummy(scripts), source)))
    broken = tuple(trace(ReadsTheNextEpisode(dummy(scripts), source)))
    assert data_equivalence(single, good, exact=True)
    assert not data_equivalence(single, broken, exact=True)


def test_fractions_and_sums():
    env = VecCostTracker(dummy([[[0, 0]], [[0.7, 0.7]]]))
    env.seed(0)
    env.reset()
    for _ in range(2):
        *_, infos = env.step(np.zeros((2, 1), np.float32))
    assert [info["cost"] for info in infos] == [0.0, 0.7]
    assert [info["episode_cost"] for info in infos] == [0.0, 1.4]


def test_monitors_outside_and_normalisation_inside():
    env = VecMonitor(
        VecCostTracker(VecNormalize(dummy([[[1.0, 2.0]]]))), info_keywords=("episode_cost",)
    )
    env.seed(0)
    env.reset()
    for _ in range(2):
        *_, infos = env.step(np.zeros((1, 1), np.float32))
    assert infos[0]["episode"]["episode_cost"] == 3.0


def test_a_missing_cost_is_an_error():
    env = VecCostTracker(dummy([[[None]]]))
    env.reset()
    with pytest.raises(ValueError, match="This environment gave no cost"):
        env.step(np.zeros((1, 1), np.float32))
