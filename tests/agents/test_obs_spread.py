"""Radii that count standard deviations: what they are of, and that they are kept."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from agent_envs import Mixed, Timed, small_agent, small_ppol, vectorised
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common.vec_env import VecNormalize

from safer_gym.agents import SAFER
from safer_gym.agents.options import BallOptions
from safer_gym.agents.training_attack.flat_obs import box_sizes, flat_array, flatten_obs
from safer_gym.agents.training_attack.obs_spread import note_spread, unit_of_radius
from safer_gym.agents.training_attack.observations import attacked_batch

EPS = 0.5
SCALES = np.array([0.001, 1.0, 300.0], np.float32)
NORMALISED: dict[str, Any] = {"units": "normalised", "eps": EPS, "eps_schedule": "constant"}


class Scaled(Timed):
    """Entries of the same shape whose scales differ by orders of magnitude."""

    draw_shape = (3,)

    def draw(self) -> Any:
        return super().draw() * SCALES


def shifts(agent: Any) -> np.ndarray:
    """How far SAFER's attacker moves each entry of a batch at most, in deviations of the data."""
    stored = agent.replay_buffer.observations[: agent.replay_buffer.pos].reshape(-1, 3)
    obs = agent.policy.obs_to_tensor(stored)[0]
    shown: Any = attacked_batch(agent, obs, agent.adversary)
    return (shown - obs).abs().amax(0).numpy() / stored.std(0)


def trained(**options: Any) -> Any:
    return small_agent("SAFER", vectorised(Scaled, 2), attack="uniform", **options).learn(400)


def test_every_entry_moves_by_the_radius_in_its_own_deviations() -> None:
    found = shifts(trained(**NORMALISED))
    np.testing.assert_allclose(found, EPS, rtol=0.05)


def test_a_raw_radius_is_seen_not_to() -> None:
    """The specimen."""
    found = shifts(trained(**NORMALISED | {"units": "raw"}))
    assert found.max() / found.min() > 1e4


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_the_estimate_is_the_deviation_of_all_observations(seed: int, sizes: list[int]) -> None:
    generator = np.random.default_rng(seed)
    agent: Any = SimpleNamespace(
        ball=BallOptions(units="normalised"),
        obs_spread=None,
        observation_space=spaces.Box(-np.inf, np.inf, (3,)),
        _vec_normalize_env=None,
    )
    assert unit_of_radius(agent) == 0.0
    batches = [generator.normal(size=(size, 3)) * SCALES for size in sizes]
    for batch in batches:
        note_spread(agent, batch)
    rows = np.concatenate(batches)
    np.testing.assert_allclose(unit_of_radius(agent), rows.std(0), rtol=1e-6, atol=1e-12)


def test_a_vec_normalize_is_the_unit_where_there_is_one() -> None:
    env = VecNormalize(vectorised(Mixed, 2), norm_obs_keys=["vector"])
    agent = small_agent("SAFER", env, policy="MultiInputPolicy", **NORMALISED).learn(100)
    assert (unit_of_radius(agent) == 1.0).all()
    env.norm_obs = False
    assert (unit_of_radius(agent) != 1.0).all()


def test_rows_of_arrays_lie_as_rows_of_tensors_do() -> None:
    space = Mixed().observation_space
    env = vectorised(Mixed, 3)
    agent = small_agent("SAFER", env, policy="MultiInputPolicy")
    obs = env.reset()
    tensors, _ = agent.policy.obs_to_tensor(obs)
    rows = flat_array(obs, space)
    np.testing.assert_array_equal(rows, flatten_obs(tensors, space).tensor.numpy())
    assert sum(box_sizes(space).values()) == rows.shape[1]


@pytest.mark.parametrize("options", [{"collection_attack": "uniform"}, {"regulariser": "mad"}])
def test_the_attacks_of_ppo_lagrangian_count_deviations_too(options: dict[str, Any]) -> None:
    agent = small_ppol(vectorised(Scaled, 2), **NORMALISED, **options).learn(400)
    assert agent.obs_spread is not None
    np.testing.assert_allclose(unit_of_radius(agent), SCALES / np.sqrt(3), rtol=0.1)


def test_the_estimate_is_saved_with_the_model_and_raw_units_need_none(tmp_path: Path) -> None:
    agent = trained(**NORMALISED)
    agent.save(tmp_path / "model")
    loaded = SAFER.load(tmp_path / "model")
    np.testing.assert_array_equal(unit_of_radius(loaded), unit_of_radius(agent))
    assert unit_of_radius(SAFER.load(tmp_path / "model", units="raw")) == 1.0
    assert trained().obs_spread is None


def test_other_units_are_refused() -> None:
    with pytest.raises(ValueError, match="units must be one of 'raw', 'normalised'"):
        small_agent("SAFER", units="sigma")
