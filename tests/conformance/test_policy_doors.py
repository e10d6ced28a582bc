"""Every door refuses the policies that cannot be measured, and takes those that can."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from policy_specimens import ANOTHER, HONEST, MISFITS, REMEMBERING, Network, Track, nan
from stable_baselines3.common.vec_env import DummyVecEnv
from typer.testing import CliRunner

from safer_gym.attacks import make_attack
from safer_gym.conformance.certify import certify
from safer_gym.conformance.certify.replay import recorded, replay
from safer_gym.conformance.certify.strongest import strongest_attack
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.contracts import check_policy
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.pytest_gate import certified
from safer_gym.wrappers import (
    ObservationAdversary,
    VecObservationAdversary,
    VectorObservationAdversary,
    fit_critics,
    iterate_mc,
)

LITTLE = {"n_steps": 16, "n_envs": 2, "updates": 4, "batch_size": 8, "hidden": (8,)}
SHORT: dict[str, Any] = {"episodes": 5, "benign_episodes": 5, "eps": [0.05], "limit": 1.0}
UNIFORM = {"battery": {"uniform": make_attack("uniform")}}


def _certify(policy: Any) -> Any:
    return certify(policy, Track, **SHORT, **UNIFORM)


@functools.cache
def _certificate() -> Any:
    return _certify(Network())


def _replay(policy: Any) -> Any:
    note = recorded(_certificate(), "uniform", 0.05, 0)
    return replay(_certificate(), policy, Track, note, **UNIFORM)


def _single(policy: Any) -> Any:
    env = ObservationAdversary(Track(), "uniform", policy=policy, eps=0.05)
    env.reset(seed=0)
    return env.step(np.zeros(1, np.float32))


def _vector(policy: Any) -> Any:
    envs = gym.vector.SyncVectorEnv([Track, Track])
    return VectorObservationAdversary(envs, "uniform", policy=policy, eps=0.05).reset(seed=0)


def _venv(policy: Any) -> Any:
    return VecObservationAdversary(DummyVecEnv([Track]), "uniform", policy=policy, eps=0.05).reset()


def _set_policy(policy: Any) -> Any:
    env = ObservationAdversary(Track(), "uniform", eps=0.05)
    return env.set_policy(policy)


DOORS: dict[str, Callable[[Any], Any]] = {
    "evaluate": lambda policy: evaluate(policy, Track, ["natural", "uniform"], eps=0.05,
                                        n_episodes=2),
    "certify": _certify,
    "replay": _replay,
    "pytest": lambda policy: certified(policy, Track, "P(cost > 1) <= 0.9 at eps = 0.05",
                                       folder=Path(), episodes=5, benign_episodes=5, **UNIFORM),
    "strongest_attack": lambda policy: strongest_attack(policy, Track, eps=0.05, battery="quick",
                                                        n_episodes=2),
    "ObservationAdversary": _single,
    "set_policy": _set_policy,
    "VectorObservationAdversary": _vector,
    "VecObservationAdversary": _venv,
    "fit_critics": lambda policy: fit_critics(policy, Track, **LITTLE),
    "iterate_mc": lambda policy: iterate_mc(policy, Track, eps=0.05, rounds=1, **LITTLE),
    "check_policy": lambda policy: check_policy(policy, Track),
}  # fmt: skip
each_door = pytest.mark.parametrize("door", DOORS)


@each_door
@pytest.mark.parametrize("name", ANOTHER)
def test_a_policy_that_is_not_what_is_read_of_it_is_refused(door: str, name: str) -> None:
    with pytest.raises(
        (ValueError, AssertionError), match=r"not be what|not what|black box|predict"
    ):
        DOORS[door](ANOTHER[name]())


@each_door
@pytest.mark.parametrize("name", REMEMBERING)
def test_a_policy_with_a_memory_is_refused(door: str, name: str) -> None:
    with pytest.raises(
        (ValueError, AssertionError),
        match=r"memory|another form|repeatable|stateless|rows alone|untou",
    ):
        DOORS[door](REMEMBERING[name]())


@each_door
@pytest.mark.parametrize("name", MISFITS)
def test_a_policy_of_other_spaces_is_refused(door: str, name: str) -> None:
    with pytest.raises((ValueError, AssertionError)) as refused:
        DOORS[door](MISFITS[name]())
    words = ("observation", "action", "the policy raised")
    assert any(word in str(refused.value) for word in words)


@pytest.mark.parametrize(
    "door", sorted({*DOORS} - {"set_policy", "replay", *(d for d in DOORS if "Obs" in d)})
)
def test_an_action_that_is_not_finite_is_refused(door: str) -> None:
    with pytest.raises((ValueError, AssertionError), match=r"finite|NaN"):
        DOORS[door](nan())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_wrappers_refuse_actions_that_are_not_finite(bad: float) -> None:
    action = np.full(1, bad, np.float32)
    single = ObservationAdversary(Track(), "uniform", eps=0.1)
    single.reset(seed=0)
    vector = VectorObservationAdversary(gym.vector.SyncVectorEnv([Track]), "uniform", eps=0.1)
    vector.reset(seed=0)
    venv = VecObservationAdversary(DummyVecEnv([Track]), "uniform", eps=0.1)
    venv.reset()
    for step, actions in ((single.step, action), (vector.step, action[None]),
                          (venv.step, action[None])):  # fmt: skip
        with pytest.raises(ValueError, match="is not finite in environment 0, episode 0, step 0"):
            step(actions)


@pytest.mark.parametrize("door", sorted({*DOORS} - {"strongest_attack", "replay"}))
@pytest.mark.parametrize("name", HONEST)
def test_a_policy_that_is_what_it_seems_is_taken(door: str, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # fit_critics: no cost
        DOORS[door](HONEST[name]())


def test_the_refusal_says_where_and_when() -> None:
    with pytest.raises(ValueError, match=r"not finite in episode 0, step 0, at .* array\(\[nan\]"):
        evaluate(nan(), Track, ["natural"], eps=0.0, n_episodes=2)
    with pytest.raises(ValueError, match=r"at the observation .* a difference of 0\.9"):
        evaluate(ANOTHER["a subclass with _predict"](), Track, ["natural"], eps=0.0, n_episodes=1)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("SmoothsAndCounts", "each time it is asked"),
        ("Grows", "another form at a later step"),
        ("closure", "each time it is asked"),
        ("noisy", "answered differently"),
        ("of_other_spaces", "policy of this environment"),
        ("nan", "the network's weights and biases must be finite"),
        ("another", "not what attacks and bounds read"),
    ],
)
def test_the_command_line_refuses_in_one_line(made: str, words: str) -> None:
    gym.register("Track-v0", Track, max_episode_steps=4)
    try:
        command = ["certify", f"policy_specimens:{made}()", "--env", "Track-v0", "--eps", "0.01"]
        found = CliRunner().invoke(app, [*command, "--limit", "1", "--episodes", "5"])
    finally:
        del gym.registry["Track-v0"]
    assert (found.exit_code, words in " ".join(found.output.split())) == (3, True), found.output
    assert "Traceback" not in found.output
