"""The cost tracker of a single environment."""

from __future__ import annotations

import math

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics
from hypothesis import given
from hypothesis import strategies as st
from scripted_env import ScriptedCosts, play
from stable_baselines3.common.env_checker import check_env as sb3_check_env
from stable_baselines3.common.monitor import Monitor

from safer_gym.wrappers import CostTracker

COSTS = st.one_of(st.integers(0, 3), st.floats(0, 10), st.booleans())
SCRIPTS = st.lists(st.lists(COSTS, min_size=1, max_size=6), min_size=1, max_size=3)


@given(SCRIPTS)
def test_an_episode_costs_the_sum_of_its_steps(script):
    played = play(CostTracker(ScriptedCosts(script)), len(script))
    for infos, costs in zip(played, script, strict=True):
        assert [info["cost"] for info in infos] == [float(cost) for cost in costs]
        assert [info["episode_cost"] for info in infos] == pytest.approx(np.cumsum(costs).tolist())
        assert all(type(info[key]) is float for info in infos for key in ("cost", "episode_cost"))


def test_the_step_of_a_reset_has_no_cost():
    _, info = CostTracker(ScriptedCosts([[1.0]])).reset(seed=0)
    assert info == {}


def costs_of_a_vector(wrap):
    envs = SyncVectorEnv([lambda c=c: wrap(ScriptedCosts([[c, c]])) for c in (0, 0.7)])
    envs.reset(seed=0)
    return envs.step(np.zeros((2, 1), np.float32))[-1]["cost"]


def test_fractions_survive_a_vector_environment():
    assert costs_of_a_vector(CostTracker).tolist() == [0.0, 0.7]
    assert costs_of_a_vector(lambda env: env).tolist() == [0, 0]  # what it protects from


def test_a_function_sees_the_transition_although_arrays_are_reused():
    seen = []

    def cost(obs, action, next_obs, info):
        seen.append((obs.tolist(), action.tolist(), next_obs.tolist(), info["cost"]))
        return float(next_obs[1])

    env = CostTracker(ScriptedCosts([[5.0, 6.0]], reuse=True), cost)
    env.reset(seed=0)
    for _ in range(2):
        *_, info = env.step(np.array([0.5], np.float32))
    assert seen == [([0, 0], [0.5], [0, 1], 5.0), ([0, 1], [0.5], [0, 2], 6.0)]
    assert (info["cost"], info["episode_cost"]) == (2.0, 3.0)


def test_constraints_by_name():
    script = [[{"speed": 1, "wall": 0.5}, {"speed": 0, "wall": 2}]]
    named = {"speed": "speed", "wall": "wall"}
    (infos,) = play(CostTracker(ScriptedCosts(script), named, reduce="max"))
    assert [info["cost"] for info in infos] == [1.0, 2.0]
    assert infos[0]["costs"] == {"speed": 1.0, "wall": 0.5}


class SixValues(ScriptedCosts):
    def step(self, action):
        obs, reward, terminated, truncated, info = super().step(action)
        return obs, reward, info.pop("cost"), terminated, truncated, {**info, "cost_sum": 9.0}


def test_six_values_are_understood():
    (infos,) = play(CostTracker(SixValues([[1.0, 0.5]])))
    assert [info["cost"] for info in infos] == [1.0, 0.5]


# Both sides of the wrappers that keep episode statistics.


@pytest.mark.parametrize("statistics", [Monitor, RecordEpisodeStatistics])
def test_statistics_inside_get_the_sum(statistics):
    for infos in play(CostTracker(statistics(ScriptedCosts([[1.0, 2.0], [0.5]]))), 2):
        assert infos[-1]["episode"]["c"] == infos[-1]["episode_cost"]
        assert {"r", "l", "c"} <= set(infos[-1]["episode"])
        assert all("episode" not in info for info in infos[:-1])


def test_statistics_outside_go_on_working():
    tracker = CostTracker(ScriptedCosts([[1.0, 2.0]]))
    (infos,) = play(RecordEpisodeStatistics(tracker))
    assert infos[-1]["episode"]["l"] == 2
    (infos,) = play(Monitor(tracker, info_keywords=("episode_cost",)))
    assert infos[-1]["episode"]["episode_cost"] == 3.0


def test_record_episode_makes_the_entry_itself():
    (infos,) = play(CostTracker(ScriptedCosts([[1.0, 2.0]]), record_episode=True))
    assert infos[-1]["episode"] == {"r": 0.0, "l": 2, "c": 3.0}


# Budgets.


@given(st.lists(st.floats(0, 2), min_size=1, max_size=10), st.floats(0, 5))
def test_termination_falls_on_the_first_step_above_the_budget(costs, budget):
    env = CostTracker(ScriptedCosts([costs]), budget=budget, terminate_at_budget=True)
    (infos,) = play(env)
    totals = [info["episode_cost"] for info in infos]
    assert all(total <= budget for total in totals[:-1])
    assert len(infos) == len(costs) or totals[-1] > budget
    assert [info["budget_exceeded"] for info in infos] == [total > budget for total in totals]


def test_what_is_left_of_the_budget_is_observed():
    env = CostTracker(ScriptedCosts([[1.0, 1.0, 3.0]]), budget=4.0, observe_budget=True)
    seen = [env.reset(seed=0)[0]] + [env.step(np.zeros(1, np.float32))[0] for _ in range(3)]
    assert [obs[2] for obs in seen] == [1.0, 0.75, 0.5, 0.0]
    assert all(env.observation_space.contains(obs) for obs in seen)
    assert env.observation_space.shape == (3,)
    assert seen[0].dtype == np.float32


class OtherObservations(ScriptedCosts):
    def __init__(self, space):
        super().__init__([[0.0]])
        self.observation_space = space


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(3),
        spaces.Box(0, 255, (4, 4, 3), np.uint8),
        spaces.Box(0, 9, (2,), np.int64),
        spaces.Dict(a=spaces.Box(-1, 1, (2,))),
    ],
)
def test_only_flat_boxes_can_hold_the_budget(space):
    with pytest.raises(ValueError, match=r"observe_budget=True needs observations in a flat Box"):
        CostTracker(OtherObservations(space), budget=1.0, observe_budget=True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"budget": -1.0}, "budget must be a finite number >= 0, or None; got -1.0"),
        ({"budget": math.nan}, "budget must be a finite number"),
        ({"terminate_at_budget": True}, "terminate_at_budget=True needs a budget"),
        ({"observe_budget": True}, "observe_budget=True needs a budget"),
        ({"observe_budget": True, "budget": 0}, "needs a budget above 0"),
    ],
)
def test_bad_budgets_are_named(options, text):
    with pytest.raises(ValueError, match=text):
        CostTracker(ScriptedCosts([[0.0]]), **options)


# Gymnasium's contract.


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version.*")
@pytest.mark.parametrize("observe", [False, True])
def test_environment_checkers_pass(observe):
    script = [[0, 0.5] * 40]
    env = CostTracker(ScriptedCosts(script), budget=3.0, observe_budget=observe)
    sb3_check_env(env)
    check_env(env, skip_render_check=True, skip_close_check=True)


def test_the_spec_rebuilds_the_stack():
    env = CostTracker(
        gymnasium.make("SaferGym/BallCircle-v0"), reduce="max", budget=2.0, observe_budget=True
    )
    again = gymnasium.make(env.spec)
    assert isinstance(again, CostTracker)
    assert again.observation_space == env.observation_space
    assert again.spec.additional_wrappers[-1].kwargs["budget"] == 2.0


def test_errors_reach_the_user_at_the_step():
    env = CostTracker(ScriptedCosts([[None], [math.nan], [-1.0]]))
    for text in ("This environment gave no cost", "must be finite", "at least 0"):
        env.reset()
        with pytest.raises(ValueError, match=text):
            env.step(np.zeros(1, np.float32))
