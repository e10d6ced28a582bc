"""Signals by name: what a buffer keeps of infos beside the cost, over one step and over several."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from agent_envs import Timed, small_agent, small_ppol, vectorised
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from safer_gym.agents.cost_monitor import CostMonitor
from safer_gym.agents.data.signals import Signal, over_steps, read

GAMMA = 0.9
KINDS = {
    "h": Signal("margin", over_steps="first"),
    "next_h": Signal("next_margin", over_steps="last"),
    "disturbance": Signal("push", shape=(2,), over_steps="first"),
    "fuel": Signal("fuel"),
}


class Told(Timed):
    """Its infos tell the step t of the episode, as four signals."""

    horizon = 7

    def step(self, action: np.ndarray) -> Any:
        t = float(self.t)
        obs, reward, terminated, truncated, info = super().step(action)
        told = {"margin": t, "next_margin": t + 1.0, "push": np.array([t, -t]), "fuel": 2.0}
        return obs, reward, terminated, truncated, {**info, **told}

    def draw(self) -> Any:
        return np.array([self.t], np.float32)


@pytest.mark.parametrize("n_steps", [1, 3])
def test_an_agent_learns_with_named_signals(n_steps: int) -> None:
    """Windows end with episodes: at step t they hold min(n, 7 - t) steps."""
    kwargs = {"signals": KINDS}
    agent = small_agent(
        "CVPO", vectorised(Told, 2), n_steps=n_steps, gamma=GAMMA, replay_buffer_kwargs=kwargs
    )
    agent.learn(140)
    data = agent._sample_batch(64)
    t = data.observations.numpy()[:, 0]
    length = np.minimum(n_steps, Told.horizon - t)
    signals = {name: value.numpy() for name, value in data.signals.items()}
    assert signals.keys() == KINDS.keys()
    np.testing.assert_array_equal(signals["h"][:, 0], t)
    newest = signals["next_h"][:, 0] < t + length  # a window that the newest row ends
    assert newest.mean() < 0.2
    np.testing.assert_array_equal(signals["next_h"][~newest, 0], (t + length)[~newest])
    np.testing.assert_array_equal(signals["disturbance"], np.stack([t, -t], axis=1))
    fuel = 2.0 * (1.0 - GAMMA**length) / (1.0 - GAMMA)
    np.testing.assert_allclose(signals["fuel"][~newest, 0], fuel[~newest], rtol=1e-5)


@given(arrays(np.float64, (4, 3), elements=st.floats(-1e3, 1e3)), st.integers(1, 3))
def test_over_steps_is_what_it_says(values: np.ndarray, length: int) -> None:
    weights = (np.arange(3) < length) * GAMMA ** np.arange(3) * np.ones((4, 1))
    last = np.full(4, length - 1)
    for how, expected in {
        "first": values[:, 0],
        "last": values[:, length - 1],
        "sum": (values * weights).sum(1),
    }.items():
        found = over_steps(Signal("x", over_steps=how), values, weights, last)
        np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30, -2.0])
def test_a_signal_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"info\['h'\] must be a finite number >= -1"):
        read(Signal("h", lowest=-1.0), [{"h": 0.0}, {"h": value}], set())


def test_a_missing_signal_is_refused_or_zero_with_one_warning() -> None:
    with pytest.raises(ValueError, match=r"info\['h'\] is missing: pass h"):
        read(Signal("h", remedy="pass h"), [{}], set())
    warned: set[str] = set()
    with pytest.warns(UserWarning, match="counts as zero"):
        assert read(Signal("h", missing="zero"), [{}], warned).tolist() == [0.0]
    assert read(Signal("h", missing="zero"), [{}], warned).tolist() == [0.0]


def test_unknown_words_have_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean 'first'"):
        Signal("h", over_steps="frist")


ONE = {
    "array of one": np.array([1.0]),
    "array of shape ()": np.array(1.0),
    "array of one by one": np.ones((1, 1), np.float32),
    "bool": True,
    "numpy's bool": np.bool_(True),
    "int": 1,
    "numpy's int": np.int8(1),
    "tensor": torch.tensor(1.0),
    "tensor of one": torch.ones(1),
    "list": [1.0],
}


def costly(cost: Any) -> type[Timed]:
    class Costly(Timed):
        def step(self, action: np.ndarray) -> Any:
            obs, reward, terminated, truncated, _ = super().step(action)
            return obs, reward, terminated, truncated, {"cost": cost}

    return Costly


@pytest.mark.parametrize("kind", ONE)
@pytest.mark.parametrize("make", [small_agent, small_ppol], ids=["off-policy", "on-policy"])
def test_one_cost_in_whatever_form(make: Any, kind: str) -> None:
    agent = make(env=costly(ONE[kind])())
    agent.learn(40)
    assert list(agent.cost_monitor.recent) == [20.0, 20.0]
    assert (agent.replay_buffer.costs[:40] == 1.0).all()


@pytest.mark.parametrize(
    "cost",
    [np.ones(2), [1.0, 2.0], {"speed": 1.0}, "1.0", torch.ones(3), np.array([]), 1j],
    ids=["two", "list of two", "dict", "text", "tensor of three", "none", "complex"],
)
@pytest.mark.parametrize("make", [small_agent, small_ppol], ids=["off-policy", "on-policy"])
def test_what_is_no_one_cost_is_refused_by_name(make: Any, cost: Any) -> None:
    agent = make(env=costly(cost)())
    with pytest.raises(ValueError, match=r"info\['cost'\] must be one number; got.*CostTracker"):
        agent.learn(40)
    assert agent.cost_monitor.total_cost == 0.0


def test_a_step_without_an_info_is_refused() -> None:
    with pytest.raises(ValueError, match="0 infos for 2 steps"):
        CostMonitor(1.0, 10).update([], np.zeros(2, bool))
