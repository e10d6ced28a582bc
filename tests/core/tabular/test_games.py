"""Dual policy iteration on random finite games, against sets and values found by brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safer_gym.tabular.games import (
    Game,
    dual_policy_iteration,
    evaluate_safety,
    exact_discount,
    improve,
    make_game,
    robust_invariant_set,
    safe_controls,
    safety_iteration,
    safety_operator,
)

SEEDS = st.integers(0, 2**32 - 1)


def random_game(seed: int, largest: int = 8) -> Game:
    """Few disturbances and mostly safe states, so that invariant sets are neither empty nor all."""
    rng = np.random.default_rng(seed)
    n, controls, disturbances = (int(rng.integers(2, top)) for top in (largest + 1, 4, 4))
    near = rng.integers(0, n, (n, controls, disturbances))
    h = np.where(rng.random(n) < 0.3, -rng.uniform(0.05, 1, n), rng.uniform(0, 1, n))
    return make_game(near, h, rewards=rng.uniform(-1, 1, near.shape))


def kept_for_ever(game: Game, policy: np.ndarray) -> np.ndarray:
    """States from which this policy stays safe, whatever the disturbance: what it can reach."""
    safe = []
    for start in range(len(game.h)):
        seen, front = {start}, [start]
        while front:
            state = front.pop()
            for following in set(game.next_state[state, policy[state]].tolist()) - seen:
                seen.add(following)
                front.append(following)
        safe.append(all(game.h[state] >= 0 for state in seen))
    return np.array(safe)


@given(SEEDS, st.floats(0, 0.999), SEEDS)
def test_the_safety_operator_is_monotone_and_contracts(seed: int, g: float, other: int) -> None:
    game, rng = random_game(seed), np.random.default_rng(other)
    one, two = rng.normal(size=(2, len(game.h)))
    low, high = safety_operator(game, np.minimum(one, two), g), safety_operator(game, one, g)
    assert (low <= high).all()
    apart = np.abs(safety_operator(game, one, g) - safety_operator(game, two, g)).max()
    assert apart <= g * np.abs(one - two).max() + 1e-12


@given(SEEDS, st.floats(0, 0.99), st.floats(0, 0.99))
def test_the_fixed_point_is_at_most_h_and_falls_in_the_discount(
    seed: int, one: float, two: float
) -> None:
    game = random_game(seed)
    low, high = sorted((one, two))
    policy = np.zeros(len(game.h), dtype=np.int64)
    near, far = (evaluate_safety(game, policy, g) for g in (low, high))
    assert (near <= game.h[:, None, None] + 1e-12).all()
    assert (far <= near + 1e-9).all()


@settings(max_examples=60)
@given(SEEDS)
def test_the_set_is_the_union_of_what_all_policies_keep(seed: int) -> None:
    game = random_game(seed, largest=5)
    n, controls, _ = game.next_state.shape
    policies = product(range(controls), repeat=n)
    kept = np.logical_or.reduce([kept_for_ever(game, np.array(p)) for p in policies])
    assert (robust_invariant_set(game) == kept).all()


@given(SEEDS)
def test_dual_iteration_ends_at_the_robust_invariant_set(seed: int) -> None:
    game = random_game(seed)
    found = dual_policy_iteration(game, gamma=0.9, discount=exact_discount(game))
    exact = robust_invariant_set(game)
    assert (found.invariant == exact).all()
    # Both policies stay in it for ever, the task policy too.
    for policy in (found.task, found.safety):
        assert kept_for_ever(game, policy)[exact].all()
    assert np.isnan(found.values[~exact]).all()
    assert (found.task == found.safety)[~exact].all()


@given(SEEDS, st.floats(0, 0.99))
def test_with_any_discount_no_safe_state_is_missed(seed: int, g: float) -> None:
    game = random_game(seed)
    policy, q = safety_iteration(game, g)
    values = q[np.arange(len(policy)), policy].min(axis=1)
    assert (values >= 0)[robust_invariant_set(game)].all()


def test_a_small_discount_calls_doomed_states_safe() -> None:
    """A corridor of ten safe steps to a violation: the specimen that asks for g_h near one."""
    chain = np.minimum(np.arange(11) + 1, 10)[:, None, None]
    game = make_game(chain, [*[1.0] * 10, -0.1])
    assert not robust_invariant_set(game).any()
    assert dual_policy_iteration(game, gamma=0.9, discount=0.5).invariant[:6].all()
    found = dual_policy_iteration(game, gamma=0.9, discount=exact_discount(game))
    assert not found.invariant.any()


@settings(max_examples=40)
@given(SEEDS)
def test_safety_improvement_never_loses(seed: int) -> None:
    game, g = random_game(seed), 0.97
    policy = np.zeros(len(game.h), dtype=np.int64)
    q = evaluate_safety(game, policy, g)
    for _ in range(3):
        policy = improve(q, policy)
        better = evaluate_safety(game, policy, g)
        assert (better >= q - 1e-9).all()
        q = better


@settings(max_examples=60)
@given(SEEDS)
def test_the_task_policy_is_the_best_that_stays_inside(seed: int) -> None:
    """Value iteration over the safe controls alone gives the same worst returns."""
    game, gamma = random_game(seed), 0.8
    found = dual_policy_iteration(game, gamma=gamma, discount=exact_discount(game))
    allowed = safe_controls(game, found.invariant)
    values = np.zeros(len(game.h))
    for _ in range(200):
        worst = (game.rewards + gamma * values[game.next_state]).min(axis=2)
        best = np.where(allowed, worst, -np.inf).max(axis=1)
        values = np.where(found.invariant, best, 0.0)
    np.testing.assert_allclose(found.values[found.invariant], values[found.invariant], atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[[0.5]]], [1.0]), "whole numbers"),
        (([[[1]]], [1.0]), r"lie in \[0, 1\)"),
        (([[[0]]], [1.0, 2.0]), r"h must have shape \(1,\)"),
        (([[[0]]], [np.nan]), "finite"),
    ],
)
def test_a_bad_game_is_refused(arguments: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_game(*arguments)


def test_a_discount_out_of_range_is_refused() -> None:
    game = random_game(0)
    with pytest.raises(ValueError, match="discount must lie in"):
        dual_policy_iteration(game, gamma=0.9, discount=1.0)
