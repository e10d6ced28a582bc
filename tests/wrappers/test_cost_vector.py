"""Vector trackers say the same as one tracker in each environment, whichever way they reset."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics
from gymnasium.wrappers.vector import RecordEpisodeStatistics as VectorStatistics
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_env import ScriptedCosts

from safer_gym.wrappers import CostTracker, VectorCostTracker

MODES = list(AutoresetMode)
COSTS = st.floats(0, 5)
SCRIPTS = st.lists(
    st.lists(st.lists(COSTS, min_size=1, max_size=4), min_size=1, max_size=3),
    min_size=1,
    max_size=3,
)
SOURCES = [
    None,
    lambda obs, action, after, info: abs(float(after[1] - obs[1])) + info["cost"],
    {"own": "cost", "place": lambda obs, action, after, info: float(after[0]) + float(action[0])},
]


def vector(scripts, mode, wrap):
    makers = [lambda script=script: wrap(ScriptedCosts(script)) for script in scripts]
    return SyncVectorEnv(makers, autoreset_mode=mode)


def trace(env, mode, steps=9):
    """All that a vector environment shows, apart from times and from what no mask marks."""
    obs, infos = env.reset(seed=0)
    shown = [(obs.copy(), present(infos))]
    for step in range(steps):
        actions = np.full((env.num_envs, 1), 0.1 * step, np.float32)
        obs, rewards, terminated, truncated, infos = env.step(actions)
        shown.append((obs.copy(), rewards, terminated, truncated, present(infos)))
        done = terminated | truncated
        if mode == AutoresetMode.DISABLED and done.any():
            obs, infos = env.reset(options={"reset_mask": done})
            shown.append((obs.copy(), present(infos)))
    return shown


def present(infos):
    kept = {}
    for key, value in infos.items():
        masked = key.startswith("_") and key[1:] in infos
        mask = value if masked else infos.get(f"_{key}")
        if key in ("t", "_t") or (mask is not None and not mask.any()):
            continue
        kept[key] = present(value) if isinstance(value, dict) else value
    return kept


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list) or (isinstance(one, np.ndarray) and one.dtype == object):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return one == other


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("source", SOURCES, ids=["key", "function", "constraints"])
@settings(max_examples=25)
@given(scripts=SCRIPTS)
def test_vector_tracker_is_the_twin_of_single_ones(mode, source, scripts):
    options = {"budget": 6.0, "observe_budget": True}
    single = vector(
        scripts, mode, lambda env: CostTracker(RecordEpisodeStatistics(env), source, **options)
    )
    twin = VectorCostTracker(vector(scripts, mode, RecordEpisodeStatistics), source, **options)
    assert twin.observation_space == single.observation_space
    assert same(trace(single, mode), trace(twin, mode))


class CountsResets(VectorCostTracker):
    """What the twin test must catch: it forgets which environments have ended."""

    def step(self, actions):
        self._ended[:] = False
        return super().step(actions)


class KeepsSums(VectorCostTracker):
    """What the twin test must catch: sums run on over the ends of episodes."""

    def step(self, actions):
        before = self.episode_costs.copy()
        result = super().step(actions)
        self.episode_costs = np.maximum(self.episode_costs, before)
        return result


@pytest.mark.parametrize(
    ("broken", "mode"),
    [
        (CountsResets, AutoresetMode.NEXT_STEP),
        (KeepsSums, AutoresetMode.SAME_STEP),
    ],
)
def test_the_twin_test_catches_broken_trackers(broken, mode):
    scripts = [[[1.0, 2.0], [3.0]], [[0.5]]]
    single = trace(vector(scripts, mode, CostTracker), mode)
    assert same(single, trace(VectorCostTracker(vector(scripts, mode, lambda e: e)), mode))
    tracker = broken(vector(scripts, mode, lambda env: env), strict=False)
    if broken is CountsResets:
        with pytest.warns(UserWarning, match="counts as zero"):
            assert not same(single, trace(tracker, mode))
    else:
        assert not same(single, trace(tracker, mode))


@pytest.mark.parametrize("mode", MODES)
def test_masks_say_where_a_step_was_taken(mode):
    env = VectorCostTracker(vector([[[1.0], [2.0]], [[0.5, 0.5]]], mode, lambda env: env))
    env.reset(seed=0)
    first = env.step(np.zeros((2, 1), np.float32))[-1]
    if mode == AutoresetMode.SAME_STEP:
        assert first["_cost"].tolist() == [False, True]
        assert first["final_info"]["cost"][0] == first["final_info"]["episode_cost"][0] == 1.0
        assert first["final_info"]["_cost"].tolist() == [True, False]
    else:
        assert first["_cost"].tolist() == [True, True]
    if mode == AutoresetMode.DISABLED:
        options = {"reset_mask": np.array([True, False])}
        env.reset(options=options)
        assert env.episode_costs.tolist() == [0.0, 0.5]
    second = env.step(np.zeros((2, 1), np.float32))[-1]
    if mode == AutoresetMode.NEXT_STEP:
        assert second["_cost"].tolist() == [False, True]
        assert second["cost"].tolist() == [0.0, 0.5]


@pytest.mark.parametrize("mode", MODES)
def test_vector_statistics_on_both_sides(mode):
    base = [[[1.0, 2.0]], [[0.5, 0.5]]]
    inside = VectorCostTracker(VectorStatistics(vector(base, mode, lambda env: env)))
    outside = VectorStatistics(VectorCostTracker(vector(base, mode, lambda env: env)))
    for env in (inside, outside):
        env.reset(seed=0)
        for _ in range(2):
            infos = env.step(np.zeros((2, 1), np.float32))[-1]
        assert infos["episode"]["l"].tolist() == [2, 2]
        if env is inside:
            assert infos["episode"]["c"].tolist() == [3.0, 1.0]
            assert infos["episode"]["_c"].all()


def test_integer_costs_are_pointed_out():
    env = VectorCostTracker(
        vector([[[0, 0]], [[0.7, 0.7]]], AutoresetMode.NEXT_STEP, lambda env: env)
    )
    env.reset(seed=0)
    with pytest.warns(UserWarning, match=r"arrives as int64.*Wrap each environment"):
        env.step(np.zeros((2, 1), np.float32))


def test_a_budget_ends_episodes_only_where_resets_are_ours():
    scripts = [[[1.0, 1.0, 1.0]], [[0.0, 0.0, 0.0]]]
    with pytest.raises(ValueError, match="needs autoreset_mode=DISABLED; got NEXT_STEP"):
        VectorCostTracker(
            vector(scripts, AutoresetMode.NEXT_STEP, lambda env: env),
            budget=1.0,
            terminate_at_budget=True,
        )
    env = VectorCostTracker(
        vector(scripts, AutoresetMode.DISABLED, lambda env: env),
        budget=1.0,
        terminate_at_budget=True,
    )
    env.reset(seed=0)
    ends = [env.step(np.zeros((2, 1), np.float32))[2].tolist() for _ in range(2)]
    assert ends == [[False, False], [True, False]]
    env.reset(options={"reset_mask": np.array([True, False])})
    assert env.step(np.zeros((2, 1), np.float32))[-1]["episode_cost"].tolist() == [1.0, 0.0]


def test_a_missing_cost_is_an_error_in_any_row():
    env = VectorCostTracker(vector([[[1.0]], [[None]]], AutoresetMode.NEXT_STEP, lambda env: env))
    env.reset(seed=0)
    with pytest.raises(ValueError, match="This environment gave no cost"):
        env.step(np.zeros((2, 1), np.float32))
