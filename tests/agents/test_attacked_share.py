"""Collection in which a share of the environments acts under attack, and the buffer stays clean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from agent_envs import Encoded, Mixed, small_agent, vectorised, watched

EPS = 0.3
ATTACK: dict[str, Any] = {"attack": "uniform", "eps": EPS, "eps_schedule": "constant"}


def agent_on_encoded(**options: Any) -> Any:
    settings = ATTACK | {"n_steps": 1, "learning_starts": 8, "gradient_steps": 0} | options
    return small_agent("SAFER", vectorised(Encoded, 4), **settings)


@pytest.mark.parametrize(("share", "count"), [(0.5, 2), (0.3, 1), (1.0, 4)])
def test_a_share_acts_under_attack_and_the_buffer_keeps_the_clean_observation(
    share: float, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Encoded observations are whole numbers: what is not whole has been attacked."""
    agent = agent_on_encoded(attacked_share=share)
    seen = watched(agent, monkeypatch)
    agent.learn(40)
    shift = np.abs(np.array(seen) - np.round(np.array(seen))).max(axis=(0, 2))
    assert (shift[:count] > 0.1).all()
    assert (shift <= EPS + 1e-5).all()
    assert (shift[count:] == 0.0).all()
    stored = agent.replay_buffer.observations[: agent.replay_buffer.pos]
    np.testing.assert_array_equal(stored, np.round(stored))
    np.testing.assert_array_equal(stored[:, :, 0], np.arange(4) * np.ones((len(stored), 1)))


def test_a_stored_attack_would_be_noticed() -> None:
    """The specimen: an attack on collection stores what the attacker showed."""
    agent = agent_on_encoded(collection_attack="uniform")
    agent.learn(40)
    stored = agent.replay_buffer.observations[: agent.replay_buffer.pos]
    assert (stored != np.round(stored)).any()


def test_the_action_stored_is_the_one_taken_at_the_attacked_observation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = agent_on_encoded(attacked_share=1.0)
    seen = watched(agent, monkeypatch)
    monkeypatch.setattr(
        agent.policy, "_predict", lambda obs, deterministic: obs[:, :1] - obs[:, :1].round()
    )
    agent.learn(40)
    taken = agent.replay_buffer.actions[
        2 : agent.replay_buffer.pos, :, 0
    ]  # two random steps come first
    np.testing.assert_allclose(taken, (np.array(seen) - np.round(seen))[:, :, 0], atol=1e-6)


def test_random_warm_up_is_not_attacked(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = agent_on_encoded(attacked_share=1.0, learning_starts=1000)

    def refuse(*args: Any) -> None:
        raise AssertionError("attacked a policy that does not act")

    monkeypatch.setattr("safer_gym.agents.safer.safer.attacked_first", refuse)
    agent.learn(40)


def test_dict_observations_are_attacked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    options = ATTACK | {"policy": "MultiInputPolicy", "attacked_share": 0.5, "gradient_steps": 0}
    agent = small_agent("SAFER", vectorised(Mixed, 2), **options)
    seen = watched(agent, monkeypatch)
    agent.learn(40)
    buffer = agent.replay_buffer
    stored = buffer.observations["vector"][10 : buffer.pos]  # ten random steps come first
    shift = np.abs(np.array([obs["vector"] for obs in seen]) - stored).max(axis=(0, 2))
    assert 0.1 < shift[0] <= EPS + 1e-5
    assert shift[1] == 0.0


@pytest.mark.parametrize("options", [{"attacked_share": 0.1}, {"attacked_share": 1.0, "eps": 0.0}])
def test_a_share_of_no_environment_or_no_ball_changes_nothing(options: dict[str, Any]) -> None:
    trained = [
        small_agent("SAFER", vectorised(Encoded, 4), **({"eps": 0.3} | options | own)).learn(120)
        for own in ({}, {"attacked_share": 0.0})
    ]
    first, second = (agent.policy.state_dict() for agent in trained)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attacked_share": -0.1}, r"attacked_share must be a number in \[0, 1\]"),
        ({"attacked_share": 1.5}, r"attacked_share must be a number in \[0, 1\]"),
        ({"attacked_share": float("nan")}, r"attacked_share must be a number in \[0, 1\]"),
        ({"attacked_share": 0.5, "collection_attack": "mc"}, "give one of them"),
        ({"attacked_share": 0.5, "offset_steps": 5}, "give one of them"),
    ],
)
def test_bad_shares_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_agent("SAFER", **options)
