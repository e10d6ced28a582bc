"""Cost buffers: every cost belongs to its transition, whatever is summed, wrapped or cut."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from agent_envs import Costless, Encoded, Timed, small_agent, vectorised
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3.common.buffers import NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from safer_gym.agents.data.buffers import (
    CostDictReplayBuffer,
    CostNStepReplayBuffer,
    CostReplayBuffer,
    CostSamples,
    CostStorage,
)
from safer_gym.agents.data.choice import WITH_COSTS, choose_buffer

OBS = spaces.Box(-np.inf, np.inf, (2,), np.float64)
DICT = spaces.Dict({"a": OBS, "b": OBS})
ACT = spaces.Box(-1.0, 1.0, (1,), np.float32)
GAMMA = 0.9


class Row(NamedTuple):
    """One stored transition of one environment, as a test remembers it."""

    obs: np.ndarray
    next_obs: np.ndarray
    action: float
    reward: float
    cost: float
    terminated: bool
    truncated: bool


def fill(buffer: ReplayBuffer, n_rows: int, seed: int, start: int = 0) -> list[list[Row]]:
    """Add random rows; returns what was added, [n_rows][n_envs]. Obs = [row, env], all unique."""
    random, log = np.random.default_rng(seed), []
    for t in range(start, start + n_rows):
        rows = []
        for e in range(buffer.n_envs):
            terminated, truncated = random.random() < 0.15, random.random() < 0.15
            signal = random.random(3)
            obs = np.array([t, e], float)
            rows.append(Row(obs, obs + 0.5, *signal, terminated, truncated and not terminated))
        infos = [{"cost": r.cost, "TimeLimit.truncated": r.truncated} for r in rows]
        obs, next_obs = np.stack([r.obs for r in rows]), np.stack([r.next_obs for r in rows])
        if isinstance(buffer.observation_space, spaces.Dict):
            obs, next_obs = ({"a": x, "b": -x} for x in (obs, next_obs))  # type: ignore[assignment]
        actions = np.array([[r.action] for r in rows])
        rewards = np.array([r.reward for r in rows])
        dones = np.array([r.terminated or r.truncated for r in rows])
        buffer.add(obs, next_obs, actions, rewards, dones, infos)
        log.append(rows)
    return log


def check_batch(batch: CostSamples, log: list[list[Row]], n_steps: int, same_next: bool) -> None:
    """Compare with sums made by hand, transition by transition.

    `same_next`: the buffer keeps next observations of their own.
    """
    obs = batch.observations["a"] if isinstance(batch.observations, dict) else batch.observations
    following = batch.next_observations
    following = following["a"] if isinstance(following, dict) else following
    for i, (t, e) in enumerate(obs.int().tolist()):
        reward = cost = 0.0
        for k in range(n_steps):
            row = log[t + k][e]
            reward += GAMMA**k * row.reward
            cost += GAMMA**k * row.cost
            if row.terminated or row.truncated or t + k == len(log) - 1:
                break
        assert float(batch.actions[i]) == pytest.approx(log[t][e].action)
        assert float(batch.rewards[i]) == pytest.approx(reward, rel=1e-5)
        assert float(batch.costs[i]) == pytest.approx(cost, rel=1e-5)
        assert float(batch.discounts[i]) == pytest.approx(GAMMA ** (k + 1), rel=1e-5)
        assert bool(batch.dones[i]) == row.terminated
        if same_next:
            np.testing.assert_allclose(following[i], row.next_obs)


def make(kind: type, n_envs: int, n_steps: int, size: int = 12, **kwargs: Any) -> ReplayBuffer:
    space = DICT if kind is CostDictReplayBuffer else OBS
    return kind(size * n_envs, space, ACT, "cpu", n_envs, gamma=GAMMA, n_steps=n_steps, **kwargs)


KINDS = (CostReplayBuffer, CostDictReplayBuffer, CostNStepReplayBuffer)


@settings(max_examples=60)
@given(
    kind=st.sampled_from(KINDS),
    n_envs=st.sampled_from([1, 4]),
    n_steps=st.integers(1, 5),
    n_rows=st.integers(1, 40),
    seed=st.integers(0, 1000),
)
def test_sums_are_those_made_by_hand(
    kind: type, n_envs: int, n_steps: int, n_rows: int, seed: int
) -> None:
    """Also when the buffer of 12 rows has wrapped around, at every position."""
    buffer = make(kind, n_envs, n_steps)
    log = fill(buffer, n_rows, seed)
    check_batch(buffer.sample(64), log, n_steps, same_next=True)


def test_the_check_rejects_costs_of_another_environment() -> None:
    class OwnIndex(CostReplayBuffer):
        """Specimen: draws environments for the costs anew."""

        def _get_samples(self, batch_inds: np.ndarray, env: Any = None) -> CostSamples:
            batch = super()._get_samples(batch_inds, env)
            columns = np.random.randint(0, self.n_envs, size=batch_inds.shape)  # noqa: NPY002
            return batch._replace(costs=self._column(self.costs[batch_inds, columns]))

    for n_envs, seen in ((1, False), (4, True)):
        buffer = make(OwnIndex, n_envs, 1)
        log = fill(buffer, 12, seed=0)
        if not seen:
            check_batch(buffer.sample(64), log, 1, same_next=True)
            continue
        with pytest.raises(AssertionError):
            check_batch(buffer.sample(64), log, 1, same_next=True)


def test_the_check_rejects_costs_summed_past_an_end() -> None:
    class NoMask(CostReplayBuffer):
        """Specimen: forgets the ends of episodes."""

        def _alive(self, window: np.ndarray, columns: np.ndarray) -> np.ndarray:
            return np.ones(window.shape, bool)

    buffer = make(NoMask, 4, 3)
    log = fill(buffer, 30, seed=0)
    with pytest.raises((AssertionError, IndexError)):
        check_batch(buffer.sample(64), log, 3, same_next=True)


@pytest.mark.parametrize("n_steps", [1, 3])
@pytest.mark.parametrize("n_rows", [7, 12, 31])
def test_the_rest_equals_stable_baselines(n_steps: int, n_rows: int) -> None:
    """Same draws, same six fields as the n-step buffer of Stable-Baselines3."""
    ours = make(CostNStepReplayBuffer, 4, n_steps)
    theirs = NStepReplayBuffer(48, OBS, ACT, "cpu", 4, n_steps=n_steps, gamma=GAMMA)
    for buffer in (ours, theirs):
        fill(buffer, n_rows, seed=1)
    batches = []
    for buffer in (ours, theirs):
        np.random.seed(5)  # noqa: NPY002
        batches.append(buffer.sample(50))
    for name in ReplayBufferSamples._fields:
        torch.testing.assert_close(
            getattr(batches[0], name), getattr(batches[1], name), check_dtype=False
        )
    assert CostSamples._fields[:6] == ReplayBufferSamples._fields


@pytest.mark.parametrize("n_rows", [8, 29])
@pytest.mark.parametrize("n_steps", [1, 3])
def test_saving_memory_changes_no_sum(n_rows: int, n_steps: int) -> None:
    options = {"optimize_memory_usage": True, "handle_timeout_termination": False}
    buffer = make(CostReplayBuffer, 4, n_steps, **options)
    log = fill(buffer, n_rows, seed=2)
    as_terminal = [
        [r._replace(terminated=r.terminated or r.truncated, truncated=False) for r in rows]
        for rows in log
    ]
    check_batch(buffer.sample(64), as_terminal, n_steps, same_next=False)


@pytest.mark.parametrize("n_rows", [5, 12, 17])
def test_a_cut_ends_windows_but_terminates_nothing(n_rows: int) -> None:
    buffer = make(CostReplayBuffer, 2, 3)
    log = fill(buffer, n_rows, seed=3)
    buffer.cut()
    log[-1] = [r._replace(truncated=not r.terminated) for r in log[-1]]
    log += fill(buffer, 4, seed=4, start=n_rows)
    check_batch(buffer.sample(200), log, 3, same_next=True)


def test_a_cut_row_that_is_overwritten_is_whole_again() -> None:
    options = {"optimize_memory_usage": False, "handle_timeout_termination": False}
    buffer = make(CostReplayBuffer, 2, 1, **options)
    buffer.cut()  # of an empty buffer: nothing
    fill(buffer, 3, seed=0)
    buffer.cut()
    fill(buffer, 12, seed=1, start=3)
    assert not buffer.timeouts.any()


def test_no_window_reaches_over_a_reset() -> None:
    agent = small_agent("CVPO", vectorised(Encoded, 2), n_steps=3, learning_starts=10_000)
    agent.learn(2 * 3)  # stops in the middle of an episode
    agent.learn(2 * 8)  # resets
    batch = agent.replay_buffer.sample(200)
    episodes = (batch.observations[:, 1], batch.next_observations[:, 1])
    torch.testing.assert_close(*episodes)


# ---------------------------------------------------------------- through an agent


@pytest.mark.parametrize("n_envs", [1, 4])
@pytest.mark.parametrize("n_steps", [1, 3])
@pytest.mark.parametrize("normalise", [False, True])
def test_the_agent_stores_each_cost_with_its_observation(
    n_envs: int, n_steps: int, normalise: bool
) -> None:
    env: Any = vectorised(Encoded, n_envs)
    if normalise:
        env = VecNormalize(env, gamma=GAMMA)
    agent = small_agent("CVPO", env, n_steps=n_steps, learning_starts=10_000)
    agent.learn(n_envs * 23)
    batch = agent.replay_buffer.sample(300)
    for obs, after, cost in zip(
        batch.observations.numpy(), batch.next_observations.numpy(), batch.costs, strict=True
    ):
        after = after.round(3)  # VecNormalize's way there and back costs a few digits
        later = [obs + np.array([0, 0, k]) for k in range(int(min(n_steps, after[2] - obs[2])))]
        by_hand = sum(GAMMA**k * Encoded.cost_at(o) for k, o in enumerate(later))
        assert float(cost) == pytest.approx(by_hand, rel=1e-5)
        # After the last step comes the episode's last observation, not the next one's first.
        assert after[2] > obs[2]
        assert (after[:2] == obs[:2]).all()
    assert float(batch.next_observations[:, 2].max()) == pytest.approx(Encoded.horizon)
    assert float(batch.dones.max()) == 0.0


def test_vec_normalize_is_passed_to_the_buffer() -> None:
    """Stored raw, sampled normalised; costs never are."""
    env = VecNormalize(vectorised(Encoded, 2), gamma=GAMMA)
    agent = small_agent("CVPO", env, learning_starts=10_000, n_steps=1)
    agent.learn(60)
    raw = agent.replay_buffer.observations[: agent.replay_buffer.pos].reshape(-1, 3)
    batch = agent._sample_batch(256)
    known = {tuple(np.round(o, 3)) for o in env.normalize_obs(raw)}
    assert {tuple(np.round(o, 3)) for o in batch.observations.numpy()} <= known
    assert set(batch.costs.flatten().tolist()) <= {Encoded.cost_at(o) for o in raw}
    assert float(batch.rewards.abs().max()) <= 10.0 < float(batch.costs.max())


# ---------------------------------------------------------------- bad input


def test_a_missing_cost_is_an_error_that_names_the_ways_out() -> None:
    with pytest.raises(ValueError, match=r"info\['cost'\] is missing.*CostTracker.*missing_cost"):
        small_agent(env=Costless()).learn(5)


def test_a_missing_cost_may_be_zero_with_one_warning() -> None:
    agent = small_agent(env=Costless(), missing_cost="zero", learning_starts=100)
    with pytest.warns(UserWarning, match="counts as zero") as caught:
        agent.learn(40)
    assert len(caught) == 1
    assert not agent.replay_buffer.costs.any()


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), -1.0])
def test_a_cost_that_is_none_is_refused(cost: float) -> None:
    class Broken(Timed):
        def judge(self, action: np.ndarray) -> tuple[float, float]:
            return 0.0, cost

    with pytest.raises(ValueError, match="finite number between 0 and"):
        small_agent(env=Broken()).learn(5)


def test_another_cost_key() -> None:
    class Other(Timed):
        def step(self, action: np.ndarray) -> Any:
            obs, reward, terminated, truncated, _ = super().step(action)
            return obs, reward, terminated, truncated, {"damage": 2.0}

    agent = small_agent(env=Other(), replay_buffer_kwargs={"cost_key": "damage"})
    agent.learn(40)
    assert float(agent.replay_buffer.costs[:40].min()) == 2.0
    assert list(agent.cost_monitor.recent) == [2.0 * Other.horizon] * 2


def test_unknown_missing_cost_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="'zero'"):
        small_agent(missing_cost="zeros")


@pytest.mark.parametrize(
    ("space", "n_steps", "save_memory", "expected"),
    [
        (OBS, 1, False, CostReplayBuffer),
        (OBS, 3, False, CostNStepReplayBuffer),
        (OBS, 3, True, CostReplayBuffer),
        (DICT, 3, False, CostDictReplayBuffer),
    ],
)
def test_the_buffer_fits_the_space(
    space: spaces.Space, n_steps: int, save_memory: bool, expected: type
) -> None:
    assert choose_buffer(None, space, n_steps, save_memory) is expected


def test_a_buffer_without_costs_is_refused() -> None:
    class Own(ReplayBuffer):
        pass

    with pytest.raises(TypeError, match=r"must keep costs.*got Own"):
        small_agent(replay_buffer_class=Own)


@pytest.mark.parametrize("asked", WITH_COSTS)
def test_buffers_of_stable_baselines3_become_those_with_costs(asked: type) -> None:
    chosen = choose_buffer(asked, spaces.Box(-1, 1, (1,)), 1, False)
    assert issubclass(chosen, asked)
    assert issubclass(chosen, CostStorage)


def test_saving_memory_needs_ends_that_stop_the_bootstrap() -> None:
    kwargs = {"handle_timeout_termination": False}
    with pytest.raises(ValueError, match="until_terminated"):
        small_agent(
            optimize_memory_usage=True, replay_buffer_kwargs=kwargs, cost_bootstrap="always"
        )
    agent = small_agent(optimize_memory_usage=True, replay_buffer_kwargs=kwargs, n_steps=2)
    assert agent.cost_bootstrap == "until_terminated"
    assert small_agent().cost_bootstrap == "always"
    agent.learn(60)
    assert agent._n_updates > 0


def test_steps_that_another_library_would_ignore_are_named() -> None:
    with pytest.warns(UserWarning, match="n_steps=3 is used"):
        agent = small_agent(replay_buffer_class=ReplayBuffer, n_steps=3)
    assert agent.replay_buffer.n_steps == 3
    small_agent(replay_buffer_class=ReplayBuffer)  # says nothing
    small_agent(n_steps=3)
