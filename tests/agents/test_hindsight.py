"""Hindsight replay with costs: under another goal a step costs what the environment says."""

from __future__ import annotations

import io
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from agent_envs import small_agent
from gymnasium import spaces
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from safer_gym.agents.data.hindsight import CostHerReplayBuffer

GAMMA = 0.9
HORIZON = 7


class Far(gym.Env):
    """Counts its steps; a step costs the distance to the goal, and is worth the opposite."""

    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self) -> None:
        whole = spaces.Box(-np.inf, np.inf, (1,), np.float32)
        names = ("observation", "achieved_goal", "desired_goal")
        self.observation_space = spaces.Dict(dict.fromkeys(names, whole))
        self.spec = gym.envs.registration.EnvSpec("Far-v0", max_episode_steps=HORIZON)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.t, self.goal = 0, float(self.np_random.uniform(20.0, 30.0))
        return self._obs(), {}

    def _obs(self) -> dict[str, np.ndarray]:
        t = np.array([self.t], np.float32)
        goal = np.array([self.goal], np.float32)
        return {"observation": t, "achieved_goal": t.copy(), "desired_goal": goal}

    def step(self, action: np.ndarray) -> Any:
        self.t += 1
        cost = self.goal - self.t
        return self._obs(), -cost, False, self.t >= HORIZON, {"cost": np.array([cost])}

    def compute_reward(self, achieved: np.ndarray, desired: np.ndarray, infos: Any) -> np.ndarray:
        return -np.abs(desired - achieved)[:, 0]

    def distance(self, achieved: np.ndarray, desired: np.ndarray, infos: Any) -> np.ndarray:
        assert len(achieved) == len(desired) == len(infos)
        return np.abs(desired - achieved)


class Told(Far):
    compute_cost = Far.distance


def goal_agent(env: Any, algorithm: str = "CVPO", **options: Any) -> Any:
    kwargs = {"replay_buffer_class": HerReplayBuffer, "gamma": GAMMA, "learning_starts": 20}
    return small_agent(algorithm, env, policy="MultiInputPolicy", **(kwargs | options))


def check_costs(data: Any, n_steps: int) -> None:
    """Of windows of n steps from t = observation: the discounted distances to the goal shown."""
    obs, after = (
        {key: part.numpy()[:, 0] for key, part in side.items()}
        for side in (data.observations, data.next_observations)
    )
    np.testing.assert_array_equal(obs["desired_goal"], after["desired_goal"])
    steps = np.arange(1, n_steps + 1)
    at = obs["observation"][:, None] + steps
    weights = GAMMA ** (steps - 1) * (at <= HORIZON)
    expected = (np.abs(obs["desired_goal"][:, None] - at) * weights).sum(axis=1)
    np.testing.assert_allclose(data.costs.numpy()[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(data.rewards.numpy()[:, 0], -expected, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:n_steps=3 is used:UserWarning")
@pytest.mark.parametrize("n_steps", [1, 3])
@pytest.mark.parametrize("n_envs", [1, 2])
def test_costs_are_those_under_the_goal_that_is_shown(n_steps: int, n_envs: int) -> None:
    agent = goal_agent(DummyVecEnv([Told] * n_envs), n_steps=n_steps)
    agent.learn(70 * n_envs)
    data = agent._sample_batch(200)
    virtual = data.observations["desired_goal"] < 10.0
    assert 0.7 < float(virtual.float().mean()) < 0.9  # 4 of 5
    check_costs(data, n_steps)


def test_the_check_rejects_recorded_costs() -> None:
    agent = goal_agent(Told(), n_steps=1, replay_buffer_kwargs={"hindsight_cost": "recorded"})
    agent.learn(70)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        check_costs(agent._sample_batch(200), 1)


@pytest.mark.parametrize("algorithm", ["CVPO", "SAFER"])
def test_an_environment_that_computes_no_cost_is_refused(algorithm: str) -> None:
    with pytest.raises(ValueError, match=r"must have compute_cost.*'hindsight_cost': 'recorded'"):
        goal_agent(Far(), algorithm)
    kept = {"hindsight_cost": "recorded"}
    agent = goal_agent(Far(), algorithm, replay_buffer_kwargs=kept, n_steps=1).learn(70)
    data = agent._sample_batch(100)
    assert isinstance(agent.replay_buffer, CostHerReplayBuffer)
    assert float(data.costs.min()) > 20.0 - HORIZON - 1e-3  # of the goals that were


class Negative(Told):
    def compute_cost(self, achieved: np.ndarray, desired: np.ndarray, infos: Any) -> np.ndarray:
        return -np.ones(len(achieved))


class Short(Told):
    def compute_cost(self, achieved: np.ndarray, desired: np.ndarray, infos: Any) -> Any:
        return 1.0


@pytest.mark.parametrize(
    ("env", "message"), [(Negative, "cost of compute_cost"), (Short, "numbers of shape")]
)
def test_computed_costs_are_looked_at(env: type[gym.Env], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        goal_agent(env()).learn(70)


def test_other_options_of_hindsight_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="Did you mean 'recorded'"):
        goal_agent(Told(), replay_buffer_kwargs={"hindsight_cost": "record"})


def test_a_reset_ends_the_episodes_and_a_saved_buffer_goes_on() -> None:
    agent = goal_agent(VecNormalize(DummyVecEnv([Told] * 2), norm_reward=False))
    for _ in range(2):  # 20 steps in each: two episodes, and a part of the next
        agent.learn(20)
    lengths = agent.replay_buffer.ep_length[:40, 0].tolist()
    assert lengths == [7] * 14 + [6] * 6 + [7] * 14 + [0] * 6
    file = io.BytesIO()
    agent.save_replay_buffer(file)
    file.seek(0)
    with pytest.warns(UserWarning, match="last trajectory"):
        agent.load_replay_buffer(file)
    assert len(agent._sample_batch(20).costs) == 20
