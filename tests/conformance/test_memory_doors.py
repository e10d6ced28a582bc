"""Policies that return their state: evaluated as they are deployed, and attacked with the state
held fixed."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import onnx_bytes as onnx
import pytest
import torch
from discrete_envs import Drift
from policy_specimens import GRU, LSTM, RECURRENT, Smooths, Track, recurrent, scripted
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import Tensor

from safer_gym.attacks import make_attack
from safer_gym.bounds import NotCoveredError
from safer_gym.conformance.certify import certify
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.loading import load_policy
from safer_gym.types import AttackResult
from safer_gym.wrappers import (
    ObservationAdversary,
    VecObservationAdversary,
    VectorObservationAdversary,
)
from safer_gym.wrappers.gate.policy import admit
from safer_gym.wrappers.policies.layers import policy_layers
from safer_gym.wrappers.policies.recurrent import Recurrence

SHORT: dict[str, Any] = {"episodes": 3, "benign_episodes": 3, "eps": [0.1], "limit": 1.0}


class Tells(Track):
    """Its reward is the action."""

    def step(self, action: np.ndarray) -> Any:
        obs, _, *rest = super().step(action)
        return obs, float(action[0]), *rest


def answer(policy: Any, obs: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
    """As the policy is deployed, one observation at a time."""
    if hasattr(policy, "predict"):
        starts = {"episode_start": np.array([state is None])}
        known = {} if type(policy).__name__ == "SmoothsOne" else starts
        actions, state = policy.predict(obs[None], state=state, deterministic=True, **known)
        return actions[0], state
    is_lstm = "LSTM" in (type(policy).__name__, getattr(policy, "original_name", ""))
    zeros = (torch.zeros(1, 1, 4),) * 2 if is_lstm else ()
    given = zeros if state is None else state
    with torch.no_grad():
        action, *after = policy(torch.as_tensor(obs[None]), *given)
    return action[0].numpy(), tuple(after)


def deployed(policy: Any, seeds: int, read: Any = lambda obs: obs) -> list[float]:
    """Sums of actions, episode by episode."""
    sums = []
    for seed in range(seeds):
        env, total, state, done = Tells(), 0.0, None, False
        obs, _ = env.reset(seed=seed)
        while not done:
            action, state = answer(policy, read(obs), state)
            obs, reward, _, done, _ = env.step(np.clip(action, -1, 1))
            total += reward
        sums.append(total)
    return sums


@pytest.mark.parametrize("name", RECURRENT)
def test_an_episode_goes_as_it_is_deployed(name: str) -> None:
    policy = RECURRENT[name]()
    outcome = evaluate(policy, Tells, ["natural"], eps=0.0, n_episodes=3)[0]
    np.testing.assert_allclose(outcome.returns, deployed(policy, 3), atol=1e-5)
    alone = evaluate(policy, Tells, ["natural"], eps=0.0, n_episodes=3, n_envs=1)[0]
    np.testing.assert_array_equal(outcome.returns, alone.returns)


@pytest.mark.parametrize("kept", ["no state", "a state of one step before"])
def test_a_stale_state_is_noticed(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own, late = Recurrence.step, []

    def stale(self: Any, ask: Any, obs: Any, memory: Tensor) -> Any:
        step, after = own(self, ask, obs, memory)
        if kept == "no state":
            return step, memory
        # Each step asks twice: for the action, and for the memory after it.
        late.append(after)
        return step, late[-3] if len(late) > 2 and len(late[-3]) == len(after) else after

    policy = GRU()
    honest = deployed(policy, 3)
    monkeypatch.setattr(Recurrence, "step", stale)
    found = evaluate(policy, Tells, ["natural"], eps=0.0, n_episodes=3)[0].returns
    assert np.abs(found - honest).max() > 1e-3


def test_a_normaliser_goes_before_the_memory() -> None:
    venv = VecNormalize(DummyVecEnv([Tells]))
    venv.obs_rms.mean[:], venv.obs_rms.var[:] = 0.2, 0.01
    policy = GRU()
    found = evaluate(policy, Tells, ["natural"], eps=0.0, n_episodes=2, vec_normalize=venv)[0]
    read = functools.partial(_normal, venv)
    np.testing.assert_allclose(found.returns, deployed(policy, 2, read), atol=1e-5)


def _normal(venv: VecNormalize, obs: np.ndarray) -> np.ndarray:
    return venv.normalize_obs(obs).astype(np.float32)


class Spy:
    """Moves everything to the upper end, and keeps the rows that it is given."""

    per_row_noise = False

    def __init__(self) -> None:
        self.rows: list[Tensor] = []

    def __call__(self, victim: Any, obs: Any, ball: Any, generator: Any = None) -> AttackResult:
        self.rows.append(obs.clone())
        points = ball.project(obs, obs + ball.radius(obs) * torch.ones_like(obs))
        return AttackResult(points, obs.new_zeros(len(obs)), obs.new_zeros(len(obs)))


def check_memories(rows: list[Tensor], shown: list[Any], starts: list[bool]) -> None:
    """A `Smooths` remembers the running mean of what it was shown since the episode began."""
    mean = None
    for row, seen, begins in zip(rows, shown, starts, strict=True):
        mean = None if begins else mean
        assert bool(row[0] > 0.5) == (mean is None)
        if mean is not None:
            np.testing.assert_allclose(row[1:3], mean, atol=1e-6)
        mean = seen if mean is None else 0.5 * (mean + seen)


def test_wrappers_follow_the_memory_through_what_they_show() -> None:
    action = np.zeros(1, np.float32)
    single, spy = Tells(), Spy()
    env = ObservationAdversary(single, spy, policy=Smooths(), eps=0.3)
    shown, starts = [], []
    for seed in (0, 1):
        shown, starts = [*shown, env.reset(seed=seed)[0]], [*starts, True]
        for _ in range(3):
            shown, starts = [*shown, env.step(action)[0]], [*starts, False]
    check_memories([rows[0] for rows in spy.rows], shown, starts)

    vector = gym.vector.SyncVectorEnv([Tells, Tells])
    spy = Spy()
    envs = VectorObservationAdversary(vector, spy, policy=Smooths(), eps=0.3)
    shown, starts = [envs.reset(seed=0)[0]], [True]
    for step in range(1, 8):
        shown, starts = [*shown, envs.step(np.zeros((2, 1), np.float32))[0]], [*starts, step == 5]
    for k in range(2):
        check_memories([rows[k] for rows in spy.rows], [seen[k] for seen in shown], starts)

    venv, spy = DummyVecEnv([Tells]), Spy()
    adversary = VecObservationAdversary(venv, spy, policy=Smooths(), eps=0.3)
    shown, starts = [adversary.reset()[0]], [True]
    for _ in range(6):
        seen, _, dones, infos = adversary.step(np.zeros((1, 1), np.float32))
        if dones[0]:
            shown, starts = [*shown, infos[0]["terminal_observation"]], [*starts, False]
        shown, starts = [*shown, seen[0]], [*starts, bool(dones[0])]
    check_memories([rows[0] for rows in spy.rows], shown, starts)


def test_attacks_climb_through_the_present_step() -> None:
    model = recurrent()
    view = admit(model, Track.observation_space, Track.action_space)
    victim = view.victim()
    rows = victim.memory.at_start(torch.zeros(2, 2)).requires_grad_()
    victim.action(rows).sum().backward()
    assert rows.grad is not None
    assert bool(rows.grad[:, -2:].any())
    assert not bool(rows.grad[:, :-2].any())
    outcomes = evaluate(model, Tells, ["natural", "mad"], eps=0.5, n_episodes=2)
    assert not np.array_equal(outcomes[0].returns, outcomes[1].returns)


def test_no_bound_covers_a_memory_and_the_line_says_so() -> None:
    with pytest.raises(NotCoveredError, match="through its memory"):
        policy_layers(recurrent())
    battery = {"mad": make_attack("mad")}
    certificate = certify(recurrent(), Tells, battery=battery, **SHORT)
    assert "through its memory" in str(certificate.rows[-1].rate.upper_every.refused)
    assert any("has a memory" in flag.message for flag in certificate.flags)
    with pytest.raises(ValueError, match="without a memory; got a memory"):
        certify(recurrent(), Tells, battery=battery, observation_noise=0.1, **SHORT)


def test_noise_on_actions_hides_an_adversary_from_a_memory_too() -> None:
    certificate = certify(
        GRU(), Tells, channel="action", action_noise=1.0, battery={"mad": make_attack("uniform")},
        **SHORT,
    )  # fmt: skip
    assert certificate.rows[-1].rate.upper_every.refused is None


def stateful_graph(batch: int | str) -> bytes:
    """h' = tanh(obs w + h), which is the action too."""
    weight = onnx.tensor("w", np.float32([[1.0], [0.5]]))
    return onnx.model(
        [onnx.node("MatMul", ["obs", "w"], "x"), onnx.node("Add", ["x", "h"], "sum"),
         onnx.node("Tanh", ["sum"], "h_out"), onnx.node("Identity", ["h_out"], "action")],
        [weight],
        [onnx.value("obs", [batch, 2]), onnx.value("h", [batch, 1])],
        [onnx.value("action", [batch, 1]), onnx.value("h_out", [batch, 1])],
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["zip", "script", "onnx", "onnx of one row"])
def test_files_with_a_memory(kind: str, tmp_path: Path) -> None:
    path = tmp_path / {"zip": "model.zip", "script": "model.pt"}.get(kind, "model.onnx")
    if kind == "zip":
        recurrent().save(path)
    elif kind == "script":
        scripted(LSTM()).save(str(path))
    else:
        pytest.importorskip("onnxruntime")
        path.write_bytes(stateful_graph("batch" if kind == "onnx" else 1))
    loaded = load_policy(path, trust=kind == "script")
    assert loaded.ran_code == (kind == "script")
    found = evaluate(loaded.policy, Tells, ["natural", "uniform"], eps=0.1, n_episodes=3)
    np.testing.assert_allclose(found[0].returns, deployed(loaded.policy, 3), atol=1e-5)


def test_a_recurrent_policy_of_discrete_actions() -> None:
    contrib = pytest.importorskip("sb3_contrib")
    model = contrib.RecurrentPPO(
        "MlpLstmPolicy", DummyVecEnv([Drift]), n_steps=8, batch_size=8, seed=0, device="cpu",
        policy_kwargs={"lstm_hidden_size": 8, "net_arch": [8]},
    )  # fmt: skip
    found = evaluate(model, Drift, ["natural", "mad"], eps=0.3, n_episodes=2)
    costs = []
    for seed in range(2):
        env, cost, state, done = Drift(), 0.0, None, False
        obs, _ = env.reset(seed=seed)
        while not done:
            start = np.array([state is None])
            action, state = model.predict(
                obs[None], state=state, episode_start=start, deterministic=True
            )
            obs, _, _, done, info = env.step(action[0])
            cost += info["cost"]
        costs.append(cost)
    np.testing.assert_array_equal(found[0].costs, costs)
