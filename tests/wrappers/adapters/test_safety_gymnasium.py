"""Safety-Gymnasium's interface, on a stand-in: the package cannot be installed beside ours."""

from __future__ import annotations

from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import PassiveEnvChecker, TimeLimit
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from safer_gym.wrappers import CostTracker, SafetyGymnasiumAdapter
from safer_gym.wrappers.adapters.safety_gymnasium import five_values


class StandIn:
    """No Gymnasium environment at all, as one of another installation would look to ours."""

    observation_space = spaces.Box(-1.0, 1.0, (3,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
    metadata = {"render_modes": []}
    closed = False

    def reset(self, seed=None, options=None):
        self.steps = 0
        self.draws = np.random.default_rng(seed)
        return self.draws.uniform(-1, 1, 3).astype(np.float32), {}

    def step(self, action):
        self.steps += 1
        obs = self.draws.uniform(-1, 1, 3).astype(np.float32)
        parts = {"cost_hazards": 0.5, "cost_vases": 0.25, "cost_sum": 0.75}
        return obs, 1.0, 0.75, False, self.steps == 5, parts

    def close(self):
        self.closed = True


def test_both_environment_checkers_pass():
    sb3_check_env(SafetyGymnasiumAdapter(StandIn()))
    check_env(SafetyGymnasiumAdapter(StandIn()), skip_render_check=True, skip_close_check=True)


def test_the_cost_moves_into_info_and_parts_stay():
    env = CostTracker(TimeLimit(PassiveEnvChecker(SafetyGymnasiumAdapter(StandIn())), 4))
    env.reset(seed=0)
    for _ in range(4):
        *_, truncated, info = env.step(np.zeros(2, np.float32))
    assert truncated
    assert (info["cost"], info["cost_sum"], info["episode_cost"]) == (0.75, 0.75, 3.0)


def test_without_the_adapter_gymnasiums_wrappers_fail():
    class Native(StandIn, gymnasium.Env):
        pass

    env = TimeLimit(Native(), 4)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="too many values"):
        env.step(np.zeros(2, np.float32))


def test_contradictions_and_other_lengths_are_refused():
    with pytest.raises(ValueError, match="contradict"):
        five_values((0, 0.0, 1.0, False, False, {"cost": 0.0}))
    with pytest.raises(ValueError, match="got 4 values"):
        five_values((0, 0.0, False, {}))
    assert five_values((0, 0.0, 1, False, False, {"cost": 1}))[-1] == {"cost": 1.0}


def test_spaces_of_another_installation_are_rebuilt():
    foreign = StandIn()
    foreign.observation_space = SimpleNamespace(
        low=np.zeros(3), high=np.ones(3), dtype=np.dtype(np.float64)
    )
    foreign.action_space = SimpleNamespace(n=4, start=0)
    env = SafetyGymnasiumAdapter(foreign)
    assert env.observation_space == spaces.Box(0.0, 1.0, (3,), np.float64)
    assert env.action_space == spaces.Discrete(4)
    foreign.action_space = object()
    with pytest.raises(TypeError, match="cannot take over a space"):
        SafetyGymnasiumAdapter(foreign)


def test_what_is_no_environment_is_refused():
    with pytest.raises(TypeError, match="env must have 'reset'"):
        SafetyGymnasiumAdapter(object())


def test_close_reaches_the_inner_environment():
    inner = StandIn()
    SafetyGymnasiumAdapter(inner).close()
    assert inner.closed
