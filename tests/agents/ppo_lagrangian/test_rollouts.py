"""What is stored of a rollout: costs beside their own steps, GAE of the cost, time limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from agent_envs import Camera, Encoded, Mixed, Pendulum, Timed, small_ppol, vectorised
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import Tensor

from safer_gym.agents.ppo_lagrangian.collection import values_at_time_limits
from safer_gym.agents.ppo_lagrangian.rollouts import CostRolloutBuffer
from safer_gym.types import AttackResult

GAMMA, LAM = 0.9, 0.8


class Shift:
    """An attack that adds the same to everything."""

    def __init__(self, by: float = 0.5) -> None:
        self.by = by

    def __call__(self, victim: Any, obs: Tensor, ball: Any, generator: Any = None) -> AttackResult:
        nothing = torch.zeros(len(obs))
        return AttackResult(obs + self.by, nothing, nothing)


SHIFTED: dict[str, Any] = {"eps": 0.5, "eps_schedule": "constant"}


def by_hand(costs, values, last, ends, end_values) -> np.ndarray:
    """GAE by its definition: a sum of discounted errors up to the episode's end, step by step."""
    steps, n_envs = costs.shape
    found = np.zeros((steps, n_envs))
    for env in range(n_envs):
        for start in range(steps):
            weight = 1.0
            for t in range(start, steps):
                following = last[env] if t == steps - 1 else values[t + 1, env]
                following = end_values[t, env] if ends[t, env] else following
                error = costs[t, env] + GAMMA * following - values[t, env]
                found[start, env] += weight * error
                weight *= GAMMA * LAM
                if ends[t, env]:
                    break
    return found


def filled(seed: int) -> tuple[CostRolloutBuffer, tuple[np.ndarray, ...]]:
    rng = np.random.default_rng(seed)
    space = spaces.Box(-1.0, 1.0, (1,), np.float32)
    buffer = CostRolloutBuffer(6, space, space, "cpu", gae_lambda=LAM, gamma=GAMMA, n_envs=3)
    costs, values, end_values = rng.normal(size=(3, 6, 3)).astype(np.float32)
    ends = rng.random((6, 3)) < 0.3
    end_values = end_values * ends * (rng.random((6, 3)) < 0.5)
    last = rng.normal(size=3).astype(np.float32)
    for t in range(6):
        buffer.note(costs[t], ends[t], end_values[t])
        obs = np.stack([10.0 * np.arange(3) + t]).T
        zeros = torch.zeros(3)
        buffer.add(obs, np.zeros((3, 1)), np.zeros(3), ends[t], zeros, zeros)
    flat = torch.as_tensor(values.T.reshape(-1))  # one environment after the other
    buffer.compute_cost_advantages(flat, torch.as_tensor(last))
    return buffer, (costs, values, last, ends, end_values)


@pytest.mark.parametrize("seed", range(5))
def test_the_gae_of_the_cost_by_hand(seed: int) -> None:
    buffer, given = filled(seed)
    expected = by_hand(*given)
    np.testing.assert_allclose(buffer.cost_advantages, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(buffer.cost_returns, expected + given[1], rtol=1e-4, atol=1e-5)
    no_ends = (*given[:3], np.zeros_like(given[3]), given[4])
    assert not given[3].any() or not np.allclose(by_hand(*no_ends), expected)  # the specimen


def test_samples_keep_what_belongs_together() -> None:
    buffer, _ = filled(0)
    advantages = buffer.cost_advantages.copy()
    buffer.attacked = buffer.map_observations(lambda obs: 2.0 * obs)
    for data in buffer.get(4):
        env, t = (data.observations[:, 0] // 10).int(), (data.observations[:, 0] % 10).int()
        np.testing.assert_array_equal(data.cost_advantages, advantages[t, env])
        torch.testing.assert_close(data.attacked, 2.0 * data.observations)


@pytest.mark.parametrize("attack", [None, Shift()])
def test_each_cost_is_that_of_its_own_step(attack: Any) -> None:
    """Encoded tells its cost by its observation; the attacker shows it a half higher."""
    agent = small_ppol(
        vectorised(Encoded, 3), collection_attack=attack, n_steps=13, batch_size=39, **SHIFTED
    )
    agent.learn(39)
    buffer, stored = agent.rollout_buffer, agent.replay_buffer
    seen = buffer.observations.reshape(3, 13, 3).swapaxes(0, 1)  # flat by now
    clean = seen if attack is None else seen - 0.5
    np.testing.assert_array_equal(clean, stored.observations[:13])
    truth = np.apply_along_axis(Encoded.cost_at, -1, clean)
    np.testing.assert_array_equal(buffer.costs, truth)
    np.testing.assert_array_equal(buffer.costs, stored.costs[:13])
    np.testing.assert_array_equal(buffer.ends.nonzero()[0], np.repeat([4, 9], 3))
    following = stored.next_observations[:13]
    np.testing.assert_array_equal(following[..., 2], clean[..., 2] + 1)  # also at the ends
    np.testing.assert_array_equal(stored.timeouts[:13], buffer.ends)
    np.testing.assert_array_equal(buffer.end_cost_values != 0.0, buffer.ends > 0)


def test_last_observations_are_attacked_for_the_value_and_stored_as_they_were() -> None:
    agent = small_ppol(vectorised(Encoded, 2), collection_attack=Shift(), **SHIFTED)
    agent.learn(0)
    collector = agent._collector
    assert collector is not None
    np.testing.assert_array_equal(collector.present()[:, 2], [0.5, 0.5])
    for _ in range(Encoded.horizon):
        obs, _, dones, infos = collector.step(np.zeros((2, 1), np.float32))
    assert dones.all()
    np.testing.assert_array_equal(obs[:, 2], [0.5, 0.5])
    assert [info["terminal_observation"][2] for info in infos] == [5.5, 5.5]
    np.testing.assert_array_equal(agent.replay_buffer.next_observations[4, :, 2], [5.0, 5.0])


def test_normalised_observations_are_seen_and_true_ones_stored() -> None:
    env = VecNormalize(vectorised(Encoded, 2), gamma=0.9)
    agent = small_ppol(env, collection_attack=Shift(), **SHIFTED)
    agent.learn(40)
    stored = agent.replay_buffer
    np.testing.assert_array_equal(stored.observations[:20, :, 2], np.tile(range(5), (2, 4)).T)
    np.testing.assert_allclose(-stored.rewards[:20], stored.costs[:20])
    assert abs(agent.rollout_buffer.observations).max() <= 10.5


def test_behind_a_time_limit_lies_the_value_of_the_cost() -> None:
    agent = small_ppol(vectorised(Pendulum, 3))
    last = np.ones(1, np.float32)
    infos: list[dict[str, Any]] = [
        {},
        {"TimeLimit.truncated": True, "terminal_observation": last},
        {"TimeLimit.truncated": False, "terminal_observation": last},
    ]
    found = values_at_time_limits(
        agent.policy, np.zeros((3, 1), np.float32), infos, np.array([False, True, True])
    )
    reward, cost = agent.policy.state_values(torch.ones(1, 1))[0].tolist()
    assert found.tolist() == pytest.approx([0.0, cost, 0.0])
    assert abs(reward - cost) > 1e-3  # the specimen


class Dear(Pendulum):
    """A state costs twice what it brings, so that the two cannot be taken for one another."""

    def judge(self, action: np.ndarray) -> tuple[float, float | None]:
        reward, cost = super().judge(action)
        return 0.5 * reward, cost


@pytest.mark.parametrize(
    ("terminates", "expected"),
    [(False, [[2 / 3, 4 / 3], [1 / 3, 2 / 3]]), (True, [[0.5, 1.0], [0.0, 0.0]])],
    ids=["clock", "terminal"],
)
def test_both_values_and_both_critics_learn_what_is_known(
    terminates: bool, expected: list[list[float]]
) -> None:
    """Gamma = 1/2: a time limit cuts neither value, a termination both."""
    agent = small_ppol(
        DummyVecEnv([lambda: Dear(terminates)] * 2),
        gamma=0.5,
        critic_learning_rate=1e-2,
        n_epochs=5,
        critic_updates=20,
        critic_batch_size=32,
        tau=0.1,
        policy_kwargs={"net_arch": [16]},
    )
    agent.learn(40 * 25)
    states = torch.tensor([[0.0], [1.0]])
    known = torch.tensor(expected)
    with torch.no_grad():
        values = agent.policy.state_values(states)
        victim, action = agent.victim(), agent.victim().action(states)
        critics = torch.stack([victim.q_reward(states, action), victim.q_cost(states, action)], 1)
    torch.testing.assert_close(values, known, atol=0.15, rtol=0.0)
    torch.testing.assert_close(critics, known, atol=0.15, rtol=0.0)


@pytest.mark.parametrize(
    ("policy", "env"), [("MultiInputPolicy", Mixed), ("CnnPolicy", Camera)], ids=["dict", "cnn"]
)
def test_the_regulariser_attacks_every_kind_of_observation(policy: str, env: type[Timed]) -> None:
    attacks = {"regulariser": Shift(), "collection_attack": Shift(-0.25)}
    agent = small_ppol(env(), policy=policy, batch_size=10, **attacks, **SHIFTED)
    agent.learn(20)
    for data in agent.rollout_buffer.get(7):
        shown, seen = data.attacked, data.observations
        if isinstance(shown, dict) and isinstance(seen, dict):
            torch.testing.assert_close(shown["vector"], seen["vector"] + 0.5)
            torch.testing.assert_close(shown["mode"], seen["mode"])
        else:
            torch.testing.assert_close(shown, seen + 0.5)
