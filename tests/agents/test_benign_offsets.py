"""Benign offsets: how long they are held, where they lie, and that the buffer stays clean."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from agent_envs import Boxed, Encoded, Mixed, small_agent, vectorised, watched
from hypothesis import given
from hypothesis import strategies as st
from same_learner import assert_same_data, assert_same_learner

from safer_gym.agents.training_attack.attack import TrainingAttack
from safer_gym.agents.training_attack.benign_offsets import BenignOffsets, moved, renewed
from safer_gym.attacks import make_attack
from safer_gym.balls import LpBall
from safer_gym.schedules import linear

EPS = 0.3
OFFSETS: dict[str, Any] = {"offset_steps": 3, "eps": EPS, "eps_schedule": "constant"}
seeds = st.integers(0, 2**31)


def offsets(steps: int) -> BenignOffsets:
    return BenignOffsets(steps, TrainingAttack(make_attack("null"), EPS, "linf"))


def shift_of(offset: BenignOffsets, obs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    nobody: Any = None  # an offset asks no policy and no critic
    return offset(nobody, obs, 1.0, generator) - obs


# ---------------------------------------------------------------- how long


@given(
    steps=st.integers(1, 6),
    ends=st.lists(st.tuples(*[st.booleans()] * 3), min_size=2, max_size=25),
    seed=seeds,
)
def test_an_offset_is_held_for_so_many_steps_or_to_the_end_of_its_episode(
    steps: int, ends: list[tuple[bool, ...]], seed: int
) -> None:
    offset, generator = offsets(steps), torch.Generator().manual_seed(seed)
    age, before = np.zeros(3, int), None
    for dones in ends:
        shift_of(offset, torch.zeros(3, 4, dtype=torch.float64), generator)
        assert offset.held is not None
        now = offset.held.directions
        if before is not None:
            same = (now == before).all(dim=1).numpy()
            np.testing.assert_array_equal(same, age % steps != 0)
        before, age = now, age + 1
        offset.restart(np.array(dones))
        age[np.array(dones)] = 0


def test_new_episodes_everywhere_draw_everything_anew() -> None:
    offset, generator = offsets(100), torch.Generator().manual_seed(0)
    first = shift_of(offset, torch.zeros(8, 6), generator)
    assert torch.equal(first, shift_of(offset, torch.zeros(8, 6), generator))
    offset.restart()
    assert (shift_of(offset, torch.zeros(8, 6), generator) != first).any(dim=1).all()


def test_the_draws_are_the_generators() -> None:
    like = torch.zeros(5, 3)
    twins = [renewed(None, like, 4, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(twins[0].directions, twins[1].directions)
    assert not torch.equal(twins[0].directions, twins[2].directions)


# ---------------------------------------------------------------- where


@given(norm=st.sampled_from(["l1", "l2", "linf"]), bounded=st.booleans(), seed=seeds)
def test_an_offset_lies_at_the_balls_edge_and_in_the_space(
    norm: str, bounded: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    obs = 2 * torch.rand(16, 3, dtype=torch.float64, generator=generator) - 1
    box = (-np.ones(3), np.ones(3)) if bounded else (None, None)
    ball = LpBall.of(norm, np.array([0.2, 0.5, 0.1]), *box)
    directions = renewed(None, obs, 1, generator).directions
    shown = moved(obs, directions, ball)
    assert ball.contains(obs, shown).all()
    if not bounded:
        torch.testing.assert_close(ball.gauge(shown - obs), torch.ones(16, dtype=torch.float64))
    if norm == "linf" and not bounded:
        corner = ball.radius(obs).expand_as(obs)
        torch.testing.assert_close((shown - obs).abs(), corner)


def test_all_corners_are_as_likely() -> None:
    """4000 draws of 8 corners: 500 each, with a deviation of 21."""
    shown = shift_of(offsets(1), torch.zeros(4000, 3), torch.Generator().manual_seed(0))
    corner = ((shown > 0) * torch.tensor([1, 2, 4])).sum(dim=1)
    assert (torch.bincount(corner, minlength=8) - 500).abs().max() < 90


def test_the_radius_is_the_schedules() -> None:
    late = BenignOffsets(
        2, TrainingAttack(make_attack("null"), EPS, "linf", partial(linear, start=0.5))
    )
    assert [late.radius(progress) for progress in (0.5, 0.75, 1.0)] == [0.0, EPS / 2, EPS]


# ---------------------------------------------------------------- in an agent


def agent_on_encoded(**options: Any) -> Any:
    settings = OFFSETS | {"n_steps": 1, "learning_starts": 8, "gradient_steps": 0} | options
    return small_agent("SAFER", vectorised(Encoded, 4), **settings)


@pytest.mark.parametrize(("share", "count"), [(1.0, 4), (0.5, 2)])
@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_the_policy_sees_offsets_and_the_buffer_keeps_the_clean_observation(
    share: float, count: int, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Encoded observations are whole numbers: [environment, episode, step]."""
    agent = agent_on_encoded(offset_share=share, offset_scale=scale)
    seen = watched(agent, monkeypatch)
    agent.learn(80)
    stored = agent.replay_buffer.observations[: agent.replay_buffer.pos]
    np.testing.assert_array_equal(stored, np.round(stored))
    np.testing.assert_array_equal(stored[:, :, 2], np.arange(20)[:, None] % 5 * np.ones(4))
    shift = np.array(seen) - stored[2:]  # two random steps come first
    np.testing.assert_allclose(np.abs(shift[:, :count]), scale * EPS, rtol=1e-5)
    assert (shift[:, count:] == 0.0).all()


def test_the_action_stored_is_the_one_taken_at_the_offset_observation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = agent_on_encoded()
    seen = watched(agent, monkeypatch)
    monkeypatch.setattr(
        agent.policy, "_predict", lambda obs, deterministic: obs[:, :1] - obs[:, :1].round()
    )
    agent.learn(40)
    taken = agent.replay_buffer.actions[2 : agent.replay_buffer.pos, :, 0]
    np.testing.assert_allclose(taken, (np.array(seen) - np.round(seen))[:, :, 0], atol=1e-6)


def test_offsets_stay_in_a_bounded_space(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = small_agent("SAFER", vectorised(Boxed, 4), **OFFSETS, gradient_steps=0)
    seen = watched(agent, monkeypatch)
    agent.learn(80)
    assert np.abs(seen).max() == 1.0


def test_dict_observations_have_offsets_in_their_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    options = OFFSETS | {"policy": "MultiInputPolicy", "gradient_steps": 0}
    agent = small_agent("SAFER", vectorised(Mixed, 2), **options)
    seen = watched(agent, monkeypatch)
    agent.learn(40)
    stored = agent.replay_buffer.observations
    vectors = stored["vector"][10 : agent.replay_buffer.pos]  # ten random steps come first
    shift = np.array([obs["vector"] for obs in seen]) - vectors
    assert np.abs(shift).max() == pytest.approx(EPS, abs=1e-5)
    modes = stored["mode"][10 : agent.replay_buffer.pos]
    np.testing.assert_array_equal(np.array([obs["mode"] for obs in seen]).ravel(), modes.ravel())


@pytest.mark.parametrize(
    "options",
    [{"offset_steps": 0}, {"offset_share": 0.1}, {"eps": 0.0}, {"learning_starts": 1000}],
)
def test_no_offsets_leave_training_as_it_is(options: dict[str, Any]) -> None:
    """Bit for bit, draws included."""
    plain = {key: value for key, value in options.items() if not key.startswith("offset")}
    runs = [
        small_agent("SAFER", vectorised(Encoded, 4), **(common | own)).learn(120)
        for common in [{"eps": EPS, "eps_schedule": "constant"}]
        for own in (plain, OFFSETS | options)
    ]
    assert_same_learner(*runs)
    assert_same_data(*runs)


def test_offsets_change_training() -> None:
    """The specimen of the test above."""
    runs = [
        small_agent("SAFER", vectorised(Encoded, 4), **OFFSETS | own).learn(120)
        for own in ({}, {"offset_steps": 0})
    ]
    with pytest.raises(AssertionError):
        assert_same_data(*runs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"offset_steps": -1}, r"offset_steps must be a whole number >= 0; got -1"),
        ({"offset_steps": 2.5}, r"offset_steps must be a whole number >= 0; got 2.5"),
        ({"offset_scale": 0.0}, r"offset_scale must be a finite number > 0; got 0.0"),
        ({"offset_share": 1.5}, r"offset_share must be a number in \[0, 1\]; got 1.5"),
        (
            {"offset_steps": 5, "collection_attack": "mc"},
            "give one of them; got offset_steps=5 and",
        ),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_agent("SAFER", **options)
