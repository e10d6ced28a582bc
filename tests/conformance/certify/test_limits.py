"""What a certificate assumes of every episode is held against every episode, or refused by name."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from certify_toys import HORIZON, Line, Push, homing
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.attacks import make_attack
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certify import certify
from safer_gym.conformance.certify.verify import verify
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.evaluate.limits import Limits

ASKED = (
    "P(cost > 2) <= 0.2 at eps = 0.02 for every adversary",
    "mean cost <= 2 at eps = 0.02 under attacks",
)


class Longer(Line):
    """Specimen: some episodes have one step more than the spec says."""

    late = 3
    """One episode in so many."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        self.extra = int((seed or 0) % self.late == self.late - 1)
        return super().reset(seed=seed, options=options)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        obs, reward, terminated, _, info = super().step(action)
        return obs, reward, terminated, self.t >= HORIZON + self.extra, info


class Endless(Line):
    """Specimen: the spec has a horizon, the episodes have no end."""

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        return *super().step(action)[:3], False, {"cost": 0.0}


class Dearer(Line):
    """Specimen: away from the origin, where attacks lead, a step costs twice what is declared."""

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        *answer, info = super().step(action)
        return *answer, {"cost": 2.0 * info["cost"]}


def certified(env: Any = Line, **options: Any) -> Certificate:
    settings = {"requirement": ASKED, "battery": {"push": Push()}, "episodes": 25, **options}
    return certify(homing(), env, **settings)


@cache
def sound() -> Certificate:
    return certified()


@pytest.mark.parametrize(
    ("env", "options", "words"),
    [
        (Longer, {}, "horizon is 10, but the episode of seed 2 "),
        (Endless, {}, "horizon is 10"),
        (
            Dearer,
            {"eps": 2.0},
            r"max_step_cost is 1.0, but step \d+ of the episode of seed \d+ cost 2.0",
        ),
        (Line, {"max_step_cost": 0.5}, "must not be below what the environment declares, 1"),
    ],
)
def test_contradicted_limits_are_refused_by_name(env: Any, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        certified(env, **options)


@pytest.mark.parametrize("phase", ["search", "measure", "benign"])
def test_every_phase_is_tested(phase: str) -> None:
    """One episode of one phase that is too long, however many go before it."""

    class Once(Longer):
        def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
            offsets = {"search": 7, "measure": 1_000_020, "benign": 2_000_020}
            answer = super().reset(seed=seed, options=options)
            self.extra = int(seed == offsets[phase])
            return answer

    with pytest.raises(ValueError, match="horizon is 10"):
        certified(Once)


def test_a_users_own_limit_counts_where_it_is_larger() -> None:
    assert certified(Dearer, eps=2.0, max_step_cost=2.0).environment.max_step_cost == 2.0


@pytest.mark.parametrize(("env", "words"), [(Longer, "horizon"), (Dearer, "max_step_cost")])
def test_evaluate_tests_what_the_environment_declares(env: Any, words: str) -> None:
    attacks = {"push": Push(), "none": make_attack("null")}
    with pytest.raises(ValueError, match=words):
        evaluate(homing(), env, attacks, eps=2.0, n_episodes=5)
    assert evaluate(homing(), Line, attacks, eps=2.0, n_episodes=5)


def changed(**evidence: Any) -> Certificate:
    """The sound certificate with other recorded episodes of one attack."""
    row = next(row for row in sound().rows if row.attacks and row.attacks[-1].costs)
    other = replace(row.attacks[-1], **evidence)
    attacks = (*row.attacks[:-1], other)
    rows = [replace(row, attacks=attacks) if r is row else r for r in sound().rows]
    return replace(sound(), rows=tuple(rows)).sealed()


@pytest.mark.parametrize(
    ("costs", "lengths", "words"),
    [
        ((0.0,) * 25, (HORIZON + 1,) + (HORIZON,) * 24, "has 11 steps, the horizon is 10"),
        ((0.0,) * 25, (0,) + (HORIZON,) * 24, "has 0 steps"),
        ((3.5,) + (0.0,) * 24, (3,) + (HORIZON,) * 24, "3 steps cost at most 3"),
        ((-1.0,) + (0.0,) * 24, (HORIZON,) * 25, "has a cost of"),
        ((0.0,) * 24, (HORIZON,) * 25, "costs, returns and lengths must agree"),
    ],
)
def test_verify_refuses_episodes_that_cannot_have_happened(
    costs: tuple, lengths: tuple, words: str
) -> None:
    assert verify(sound()) == ()
    problems = verify(changed(costs=costs, lengths=lengths))
    assert any(words in problem for problem in problems), problems


def test_verify_holds_benign_episodes_against_the_limits_too() -> None:
    benign = sound().benign
    assert benign is not None
    for specimen in (
        replace(benign, lengths=(HORIZON + 1, *benign.lengths[1:])),
        replace(benign, costs=(HORIZON + 1.0, *benign.costs[1:])),
    ):
        (problem,) = verify(replace(sound(), benign=specimen).sealed())
        assert "benign episodes: episode 0" in problem
    shorter = replace(sound().environment, horizon=HORIZON - 1)
    assert verify(replace(sound(), environment=shorter).sealed())


@given(st.integers(1, 400), st.floats(1e-3, 1e3), st.data())
def test_no_episode_within_the_limits_exceeds_the_largest_cost(
    horizon: int, dearest: float, data: st.DataObject
) -> None:
    """Rounding included: 0.1 ten thousand times is not a thousand in floats."""
    limits = Limits(horizon, dearest)
    costs = data.draw(st.lists(st.floats(0.0, dearest), min_size=1, max_size=horizon))
    for episode in (costs, [dearest] * horizon):
        total = 0.0
        for length, cost in enumerate(episode, start=1):
            limits.check(cost, length, seed=0)
            total += cost
        assert total <= (limits.largest_cost(len(episode)) or 0.0) <= (limits.largest_cost() or 0.0)
        assert not [*limits.faults(np.array([total]), np.array([len(episode)]))]
    with pytest.raises(ValueError, match="horizon"):
        limits.check(0.0, horizon + 1, seed=0)
    with pytest.raises(ValueError, match="max_step_cost"):
        limits.check(float(np.nextafter(dearest, np.inf)), 1, seed=0)


def test_the_naive_largest_cost_is_too_small() -> None:
    """The specimen: steps times the largest cost, below what summing gives."""
    limits = Limits(10_000, 0.1)
    assert sum([0.1] * 10_000) == limits.largest_cost()
    assert limits.largest_cost() > 10_000 * 0.1  # type: ignore[operator]


def test_nothing_said_nothing_tested() -> None:
    limits = Limits()
    limits.check(1e9, 10**6, seed=0)
    assert limits.largest_cost() is None
    assert Limits.declared(gym.Wrapper(Line())) == Limits(HORIZON, 1.0)
