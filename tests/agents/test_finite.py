"""Nothing is learned from a number that is not finite, and whoever stops says which it was."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from agent_envs import TINY, Mixed, Timed, small_agent, small_ppol
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from near_remote import Near
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import nn

from safer_gym.agents import AheadVecEnv, SACLagrangian
from safer_gym.agents.finite import (
    LARGEST,
    NotFiniteError,
    require_finite,
    require_finite_numbers,
    require_finite_weights,
)
from safer_gym.agents.overlap import ahead
from safer_gym.agents.updates import descend

NAN, INF = math.nan, math.inf
AT = 50
"""Steps of an environment, of horizon 20, until one goes wrong."""


def small_sac(env: Any, **options: Any) -> SACLagrangian:
    kwargs = {key: value for key, value in TINY.items() if key != "n_particles"} | options
    return SACLagrangian(kwargs.pop("policy", "MlpPolicy"), env, **kwargs)


MAKERS: dict[str, Callable[..., Any]] = {
    "CVPO": lambda env, **own: small_agent("CVPO", env, **own),
    "SAFER": lambda env, **own: small_agent("SAFER", env, **own),
    "SAC": small_sac,
    "PPO": lambda env, **own: small_ppol(env, **own),
}


class Faulty(Timed):
    """Gives one wrong value at its step `AT`, as a broken sensor does."""

    def __init__(self, part: str = "", value: float = 0.0) -> None:
        self.part, self.value, self.steps = part, value, 0
        super().__init__()

    def step(self, action: np.ndarray) -> Any:
        self.steps += 1
        obs, reward, terminated, truncated, info = super().step(action)
        if self.steps == AT:
            reward = self.value if self.part == "reward" else reward
            info["cost"] = self.value if self.part == "cost" else info["cost"]
            truncated = truncated or self.part == "last observation"
            obs = np.full_like(obs, self.value) if "observation" in self.part else obs
        return obs, reward, terminated, truncated, info


def faulty(part: str, value: float, kind: Any = DummyVecEnv) -> Any:
    return kind([Timed, lambda: Faulty(part, value)])


def weights(agent: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in agent.policy.state_dict().items()}


def assert_unharmed(agent: Any, tmp_path: Path) -> None:
    """Weights, buffer and episode sums are finite, and the agent can be saved."""
    require_finite_weights(agent.policy.state_dict())
    stored = agent.replay_buffer
    for name in ("observations", "next_observations", "actions", "rewards", "costs"):
        assert np.isfinite(getattr(stored, name)).all(), name
    assert math.isfinite(agent.cost_monitor.total_cost)
    agent.save(tmp_path / "model")


# ---------------------------------------------------------------- what environments give

FAULTS = [
    *((part, value) for part in ("reward", "observation", "cost") for value in (NAN, INF, 1e30)),
    ("observation", -1e30),
    ("last observation", NAN),
    ("last observation", INF),
]


@pytest.mark.parametrize("algorithm", MAKERS)
@pytest.mark.parametrize(("part", "value"), FAULTS)
def test_a_wrong_number_stops_training_by_name(
    algorithm: str, part: str, value: float, tmp_path: Path
) -> None:
    agent = MAKERS[algorithm](faulty(part, value))
    message = rf"timestep {2 * AT},.*the {part} of environment 1 is {np.float32(value):g}".replace(
        "+", r"\+"
    )
    with pytest.raises(ValueError, match=message):
        agent.learn(160)
    assert_unharmed(agent, tmp_path)


@pytest.mark.parametrize("algorithm", MAKERS)
def test_the_same_numbers_where_they_are_right(algorithm: str) -> None:
    """The specimen: at the border itself nothing stops."""
    for part in ("reward", "cost", "observation"):
        MAKERS[algorithm](faulty(part, LARGEST)).learn(160)


@pytest.mark.parametrize("algorithm", ["CVPO", "SAC"])
def test_collection_in_another_process_stops_alike(
    algorithm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "Remote", Near)
    for part in ("reward", "cost", "observation"):
        agent = MAKERS[algorithm](faulty(part, NAN, AheadVecEnv))
        with pytest.raises(ValueError, match=f"timestep {2 * AT},.*the {part} of environment 1"):
            agent.learn(160)
        assert_unharmed(agent, tmp_path)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # in the normaliser
@pytest.mark.parametrize("algorithm", MAKERS)
def test_behind_a_normaliser(algorithm: str, tmp_path: Path) -> None:
    """It clips: only what comes in before it is seen to be too large."""
    for value in (NAN, 1e30):
        agent = MAKERS[algorithm](VecNormalize(faulty("observation", value), norm_reward=False))
        with pytest.raises(
            ValueError, match="observation before it is normalised of environment 1"
        ):
            agent.learn(160)
        assert_unharmed(agent, tmp_path)


class Blind(Timed):
    """Its first observation is missing."""

    def draw(self) -> Any:
        return np.full(1, NAN if self.t == 0 else 0.0, np.float32)


@pytest.mark.parametrize("algorithm", MAKERS)
def test_a_first_observation(algorithm: str) -> None:
    with pytest.raises(ValueError, match="the first observation of environment 0 is nan"):
        MAKERS[algorithm](Blind()).learn(40)


class MixedFault(Mixed):
    """A part of a Dict goes wrong."""

    def draw(self) -> Any:
        obs = super().draw()
        return obs | {"vector": np.float32([0.0, INF])} if self.t == 3 else obs


@pytest.mark.parametrize("algorithm", MAKERS)
def test_a_part_of_a_dict(algorithm: str) -> None:
    agent = MAKERS[algorithm](MixedFault(), policy="MultiInputPolicy")
    message = r"timestep 3,.*entry 1 of the observation\['vector'\] of environment 0 is inf"
    with pytest.raises(ValueError, match=message):
        agent.learn(40)


# ---------------------------------------------------------------- action spaces


@pytest.mark.parametrize("algorithm", MAKERS)
@pytest.mark.parametrize(
    ("low", "high"),
    [([-1.0, 2.0], [1.0, 2.0]), ([-1.0, -INF], [1.0, 1.0]), ([-1.0, 0], [1.0, INF])],
)
def test_actions_that_cannot_be_scaled(
    algorithm: str, low: list[float], high: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    space = spaces.Box(np.float32(low), np.float32(high))
    monkeypatch.setattr(Timed, "action_space", space)
    with pytest.raises(ValueError, match=r"low < high; entry 1 lies between"):
        MAKERS[algorithm](Timed())


# ---------------------------------------------------------------- updates

NETS = {
    "CVPO": {"critic": "critic", "cost_critic": "cost critic"},
    "SAFER": {"critic": "critic", "cost_critic": "cost critic"},
    "SAC": {"critic": "critic", "cost_critic": "cost critic"},
    "PPO": {"critic": "critic", "cost_critic": "cost critic", "state_values": "value"},
}


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # in what is logged
@pytest.mark.parametrize(
    ("algorithm", "net"), [(name, net) for name, nets in NETS.items() for net in nets]
)
def test_a_loss_that_overflows_changes_no_weight_of_its_network(algorithm: str, net: str) -> None:
    """The last layer's weights are finite, their squares are not."""
    agent = MAKERS[algorithm](Timed())
    agent.learn(20)
    poisoned = getattr(agent.policy, net)
    with torch.no_grad():
        next(iter(poisoned.parameters())).fill_(1e20)
    before = {name: value.clone() for name, value in poisoned.state_dict().items()}
    with pytest.raises(ValueError, match=f"the {NETS[algorithm][net]} loss is"):
        agent.learn(40, reset_num_timesteps=False)
    for name, value in poisoned.state_dict().items():
        assert torch.equal(value, before[name]), name
    require_finite_weights(agent.policy.state_dict())


def test_a_gradient_that_is_not_finite_changes_no_weight() -> None:
    """The root of zero: a finite loss with an infinite slope, times zero."""
    net: Any = nn.Linear(2, 1)
    net.optimizer = torch.optim.Adam(net.parameters())
    before = [weight.clone() for weight in net.parameters()]
    loss = sum((0.0 * weight).abs().sqrt().sum() for weight in net.parameters())
    with pytest.raises(NotFiniteError, match=r"a gradient of the actor loss \(0\)"):
        descend("actor", loss, net, None)
    assert all(torch.equal(*pair) for pair in zip(before, net.parameters(), strict=True))
    descend("actor", net(torch.ones(1, 2)).sum(), net, None)  # the specimen moves
    assert not all(torch.equal(*pair) for pair in zip(before, net.parameters(), strict=True))


def test_a_policy_that_is_not_finite_is_not_saved(tmp_path: Path) -> None:
    agent = small_agent("CVPO")
    agent.save(tmp_path / "model")
    kept = (tmp_path / "model.zip").read_bytes()
    with torch.no_grad():
        agent.actor.mean_head.bias[0] = NAN
    with pytest.raises(ValueError, match=r"actor\.mean_head\.bias"):
        agent.save(tmp_path / "model")
    assert (tmp_path / "model.zip").read_bytes() == kept


# ---------------------------------------------------------------- the checks themselves


@given(
    st.lists(st.floats(-LARGEST, LARGEST, width=32), min_size=6, max_size=6),
    st.integers(0, 5),
    st.sampled_from([NAN, INF, -INF, 1.01 * LARGEST, -1e30]),
    st.sampled_from([np.float32, np.float64]),
)
def test_one_wrong_number_among_any_others(
    numbers: list[float], place: int, wrong: float, dtype: Any
) -> None:
    array = np.array(numbers, dtype).reshape(3, 2)
    require_finite("observation", array)
    array.flat[place] = wrong
    with pytest.raises(NotFiniteError, match=f"entry {place % 2} .* environment {place // 2} "):
        require_finite("observation", array)


def test_integers_pass() -> None:
    require_finite("observation", np.full((2, 3), 2**40))


def test_numbers_of_a_computation() -> None:
    require_finite_numbers("E-step", {"kl": 1e30})
    with pytest.raises(NotFiniteError, match="E-step ended with kl = nan"):
        require_finite_numbers("E-step", {"cost": 1.0, "kl": NAN})
