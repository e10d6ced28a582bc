"""What an environment may return, and that every door refuses the rest, with seed and step."""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from certify_toys import Line, Push, homing_network
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common.vec_env import DummyVecEnv

from safer_gym.balls import LpBall
from safer_gym.conformance.certify import certify
from safer_gym.conformance.contracts import ContractError, check_cost_env
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.evaluate.adversary_env import AdversaryEnv
from safer_gym.wrappers import (
    CostTracker,
    ObservationAdversary,
    VecCostTracker,
    VecObservationAdversary,
    VectorCostTracker,
    VectorObservationAdversary,
    as_victim,
    fit_critics,
)
from safer_gym.wrappers.cost_source import LARGEST
from safer_gym.wrappers.gate.environment import EnvironmentGate
from safer_gym.wrappers.gate.observations import ObservationCheck

WHEN = 4

OBSERVATIONS = {
    "nan": np.float32([np.nan]),
    "infinite": np.float32([-np.inf]),
    "1e30": np.float32([1e30]),
    "shape": np.zeros(2, np.float32),
    "text": np.array(["0"]),
    "object": np.array([None]),
}
REST = {
    "nan reward": (1, np.nan),
    "infinite reward": (1, np.inf),
    "1e30 reward": (1, 1e30),
}
ENDS = {
    "reward of two": (1, np.zeros(2)),
    "reward None": (1, None),
    "terminated nan": (2, np.nan),
    "truncated None": (3, None),
}
COSTS = {"nan": np.nan, "negative": -0.5, "infinite": np.inf, "1e30": 1e30, "text": "much"}


class Faulty(Line):
    """Line, but one step of each episode returns something else."""

    observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float32)

    def __init__(self, place: int, value: Any) -> None:
        self.place, self.value = place, value

    def step(self, action: Any) -> Any:
        answer = list(super().step(action))
        if self.t == WHEN:
            answer[self.place] = self.value
        return tuple(answer)


FAULTS = {f"observation {name}": (0, value) for name, value in OBSERVATIONS.items()} | REST
ALL = FAULTS | ENDS | {f"cost {name}": (4, {"cost": v}) for name, v in COSTS.items()}
ALL |= {"no cost": (4, {})}


def stepped(env: Any) -> None:
    env.reset(seed=7)
    for _ in range(WHEN):
        env.step(np.zeros(1, np.float32))


def stepped_rows(env: Any) -> None:
    env.reset()
    for _ in range(WHEN):
        env.step(np.zeros((2, 1), np.float32))


def certified(make: Any) -> None:
    certify(
        homing_network(), make, limit=2.0, eps=0.1, battery={"p": Push()}, episodes=25, seed=7,
        modes=["deterministic"], max_step_cost=1.0,
    )  # fmt: skip


def learned(make: Any) -> None:
    env = AdversaryEnv(make, as_victim(homing_network()), LpBall.of("linf", 0.1))
    stepped(env)


MEASURING = {
    "evaluate": lambda make: evaluate(homing_network(), make, ["natural"], eps=0.1, seed=7),
    "certify": certified,
    "critics": lambda make: fit_critics(
        homing_network(), make, n_steps=40, n_envs=2, updates=1, seed=6
    ),
    "learned adversary": learned,
    "tracker": lambda make: stepped(CostTracker(make())),
}
ROWS = {
    "vector tracker": lambda make: stepped_rows(VectorCostTracker(SyncVectorEnv([make] * 2))),
    "VecEnv tracker": lambda make: stepped_rows(VecCostTracker(DummyVecEnv([make] * 2))),
}
ATTACKED = {
    "adversary": lambda make: stepped(ObservationAdversary(make(), "uniform", eps=0.1)),
    "vector adversary": lambda make: stepped_rows(
        VectorObservationAdversary(SyncVectorEnv([make] * 2), "uniform", eps=0.1)
    ),
    "VecEnv adversary": lambda make: stepped_rows(
        VecObservationAdversary(DummyVecEnv([make] * 2), "uniform", eps=0.1)
    ),
}


@pytest.mark.parametrize("fault", ALL)
@pytest.mark.parametrize("door", MEASURING)
def test_a_door_that_counts_refuses_with_seed_and_step(door: str, fault: str) -> None:
    with pytest.raises((ValueError, TypeError)) as refused:
        MEASURING[door](lambda: Faulty(*ALL[fault]))
    if fault != "no cost" and (door != "tracker" or "cost" not in fault):
        seed = {"critics": "6", "certify": r"\d+"}.get(door, "7")  # certify mixes its own
        assert re.search(rf"seed {seed}, step {WHEN}\)", str(refused.value))


@pytest.mark.parametrize("fault", ["nan", "infinite", "1e30"])
@pytest.mark.parametrize("door", ROWS | ATTACKED)
def test_vector_forms_name_the_environment(door: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r"entry \[0\] of environment 0"):
        (ROWS | ATTACKED)[door](lambda: Faulty(0, OBSERVATIONS[fault]))


@pytest.mark.parametrize("fault", REST)
@pytest.mark.parametrize("door", ROWS)
def test_vector_trackers_refuse_rewards(door: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r"reward .* environment 0"):
        ROWS[door](lambda: Faulty(*REST[fault]))


@pytest.mark.parametrize("fault", ["observation nan", "observation 1e30", "1e30 reward", "no cost"])
def test_the_contract_names_its_clause(fault: str) -> None:
    with pytest.raises(ContractError):
        check_cost_env(lambda: Faulty(*ALL[fault]))


class Narrow(Line):
    """Its space says [-1, 1], and its observations say otherwise."""

    observation_space = spaces.Box(-0.01, 0.01, (1,), np.float32)


def test_bounds_that_are_not_true_are_refused_where_attacks_are_measured() -> None:
    """They cut the ball: an adversary of the real observations could do more."""
    for door in ("evaluate", "certify"):
        with pytest.raises(ValueError, match="outside its own space"):
            MEASURING[door](Narrow)
    stepped(CostTracker(Narrow()))


class Leaving(Line):
    """It starts in its space, and the policy drives it out."""

    observation_space = spaces.Box(-0.3, 0.3, (1,), np.float32)


def test_every_step_is_held_against_the_bounds_of_the_space() -> None:
    policy = homing_network(weight=1.0)
    with pytest.raises(ValueError, match=r"outside its own space.*\(episode of seed \d+, step \d"):
        evaluate(policy, Leaving, ["natural"], eps=0.1, seed=7)


class Six(Line):
    def step(self, action: Any) -> Any:
        obs, reward, *rest = super().step(action)
        return obs, reward, 0.0, *rest


def test_six_values_are_pointed_to_the_adapter() -> None:
    with pytest.raises(ValueError, match=r"6 values from step.*SafetyGymnasiumAdapter"):
        MEASURING["evaluate"](Six)


def test_a_cost_as_an_array_of_one_is_a_cost() -> None:
    env = lambda: TimeLimit(Faulty(4, {"cost": np.array([1.0])}), 10)  # noqa: E731
    (outcome,) = evaluate(homing_network(), env, ["natural"], eps=0.1, n_episodes=1)
    assert outcome.costs.tolist() == [1.0]


@given(st.floats(width=32), st.sampled_from([(-1.0, 1.0), (-np.inf, 2.0), (-np.inf, np.inf)]))
def test_the_check_is_that_of_the_space_up_to_rounding(value: float, bounds: Any) -> None:
    space = spaces.Box(*bounds, (1,), np.float32)
    obs = np.float32([value])
    inside = bool(abs(value) <= LARGEST and (bounds[0] <= value <= bounds[1]))
    near = any(abs(value - bound) < 1e-5 for bound in bounds)
    assert near or (ObservationCheck(space, bounded=True).fault(obs) == "") == inside
    finite = bool(abs(value) <= LARGEST)
    assert (ObservationCheck(space, bounded=False).fault(obs) == "") == finite


@pytest.mark.parametrize(
    ("space", "obs", "legal"),
    [
        (spaces.Box(0, 255, (2,), np.uint8), np.uint8([0, 255]), True),
        (spaces.Box(0, 255, (2,), np.uint8), np.float32([0, 255]), False),
        (spaces.Box(-1, 1, (2,), np.float32), np.array([0, 1]), True),
        (spaces.Box(-1, 1, (2,), np.float32), [0.5, 0.25], True),
        (spaces.Box(-np.inf, 1, (2,), np.float16), np.float16([0.5, 0.25]), True),
        (spaces.Box(-np.inf, 1, (2,), np.float64), np.array([-1e30, 0.25]), False),
        (spaces.Dict(a=spaces.Box(-1, 1, (1,))), {"a": np.zeros(1)}, True),
        (spaces.Dict(a=spaces.Box(-1, 1, (1,))), {"a": np.full(1, np.nan)}, False),
        (spaces.Dict(a=spaces.Box(-1, 1, (1,))), {"b": np.zeros(1)}, False),
        (spaces.Tuple([spaces.Discrete(2), spaces.Box(-1, 1, (1,))]), (0, np.zeros(1)), True),
        (spaces.Tuple([spaces.Discrete(2), spaces.Box(-1, 1, (1,))]), (0, np.ones(1) * 2), False),
    ],
)
def test_spaces_of_other_kinds(space: gym.Space, obs: Any, legal: bool) -> None:
    gate = EnvironmentGate(space, bounded=True)
    with nullcontext() if legal else pytest.raises(ValueError, match="observation"):
        gate.reset((obs, {}), 0)
