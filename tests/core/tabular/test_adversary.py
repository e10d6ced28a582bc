"""The optimal adversary against three other ways to it, and the attacks against it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from theory.examples import attaining_case

from safer_gym.tabular import (
    Attacked,
    Case,
    attacked,
    iterated_max_cost,
    max_cost,
    max_difference,
    max_reward,
    optimal_adversary,
    policy_values,
    residual_bound,
    shown,
    value_iteration,
)
from safer_gym.tabular.adversary import offers, truth
from safer_gym.tabular.random_cmdps import random_case, random_cases
from safer_gym.tabular.values import expected_signal, visitation

Solver = Callable[..., Attacked]


def some(seed: int, shape: tuple[int, int] = (3, 2), n: int = 20) -> Case:
    return random_case(shape, n, np.random.default_rng(seed))


def by_enumeration(case: Case) -> np.ndarray:
    """The best of all deterministic adversaries at every state, [N, S]."""
    n_states = case.cmdp.n_states
    best = np.full(case.cmdp.start.shape, -np.inf)
    for choice in product(range(n_states), repeat=n_states):
        allowed = case.cmdp.balls[:, np.arange(n_states), choice].all(-1)
        values = attacked(case.cmdp, case.policy, np.array([choice])).values.v
        best = np.where(allowed[:, None], np.maximum(best, values), best)
    return best


def check_optimal(solve: Solver, case: Case) -> None:
    found = solve(case.cmdp, case.policy)
    np.testing.assert_allclose(found.values.v, by_enumeration(case), rtol=1e-9, atol=1e-9)
    inside = np.take_along_axis(case.cmdp.balls, found.adversary[..., None], -1)
    assert inside.all()


@given(st.integers(0, 10_000), st.sampled_from([(2, 4), (3, 2), (4, 3)]))
@settings(max_examples=10)
def test_policy_iteration_is_the_best_of_all_adversaries(seed: int, shape: tuple[int, int]) -> None:
    check_optimal(optimal_adversary, some(seed, shape))


def minus_sign(cmdp, policy) -> Attacked:
    """Specimen: descends, as the printed algorithm does."""
    q = policy_values(cmdp, policy, cmdp.costs).q
    return attacked(
        cmdp, policy, np.where(cmdp.balls, -offers(cmdp, policy, q), -np.inf).argmax(-1)
    )


def critic_at_the_lie(cmdp, policy) -> Attacked:
    """Specimen: asks Q(s~, .) where the truth is s."""
    v = (policy * policy_values(cmdp, policy, cmdp.costs).q).sum(-1)
    return attacked(cmdp, policy, np.where(cmdp.balls, v[..., None, :], -np.inf).argmax(-1))


@pytest.mark.parametrize("specimen", [max_cost, max_reward, minus_sign, critic_at_the_lie])
def test_the_check_rejects(specimen: Solver) -> None:
    """MC among them: it is optimal in nearly all problems, not in all."""
    with pytest.raises(AssertionError):
        check_optimal(specimen, some(5, (4, 3), 400))


def test_value_iteration_agrees() -> None:
    for case in random_cases(60, 3):
        exact = optimal_adversary(case.cmdp, case.policy).values.v
        np.testing.assert_allclose(value_iteration(case.cmdp, case.policy), exact, atol=1e-8)


def test_linear_programming_agrees() -> None:
    """The least super-solution: min start . v with v >= T v."""
    case = some(11, (4, 3), 5)
    cmdp = case.cmdp
    n = cmdp.n_states
    for i in range(5):
        rows, right = [], []
        immediate = expected_signal(cmdp, cmdp.costs)[i]
        for s, o in zip(*np.nonzero(cmdp.balls[i]), strict=True):
            rows.append(cmdp.gamma[i] * case.policy[i, o] @ cmdp.transitions[i, s] - np.eye(n)[s])
            right.append(-case.policy[i, o] @ immediate[s])
        solved = linprog(np.ones(n), rows, right, bounds=(None, None))
        exact = optimal_adversary(cmdp, case.policy).values.v[i]
        np.testing.assert_allclose(solved.x, exact, atol=1e-7)


def check_rises(attack: Solver, seed: int) -> None:
    case = some(seed, (5, 3), 100)
    benign = policy_values(case.cmdp, case.policy, case.cmdp.costs).v
    assert (attack(case.cmdp, case.policy).values.v >= benign - 1e-9 * (1 + benign)).all()


@given(st.integers(0, 10_000))
@settings(max_examples=5)
def test_mc_never_lowers_the_cost(seed: int) -> None:
    check_rises(max_cost, seed)


@pytest.mark.parametrize("attack", [max_reward, max_difference, minus_sign, critic_at_the_lie])
def test_others_may_lower_it(attack: Solver) -> None:
    with pytest.raises(AssertionError):
        check_rises(attack, 0)


def test_iterated_mc_begins_benign_goes_on_with_mc_and_ends_optimal() -> None:
    case = some(2, (6, 4), 200)
    iterates = list(iterated_max_cost(case.cmdp, case.policy))
    assert np.array_equal(iterates[0].adversary, truth(case.cmdp))
    assert np.array_equal(iterates[1].adversary, max_cost(case.cmdp, case.policy).adversary)
    best = optimal_adversary(case.cmdp, case.policy)
    assert np.array_equal(iterates[-1].adversary, best.adversary)
    assert 2 <= best.rounds <= 6


def test_the_attaining_example() -> None:
    for delta, gamma in ((0.1, 0.9), (1e-3, 0.99), (1.0, 0.0)):
        case = attaining_case(delta, gamma)
        worst = optimal_adversary(case.cmdp, case.policy).values.v[0, 0]
        u = 1 / (1 - gamma)
        assert worst == pytest.approx(delta * u / (1 - gamma * (1 - delta)), rel=1e-12)


def test_any_guess_gives_a_bound() -> None:
    case = some(3, (5, 3), 100)
    exact = optimal_adversary(case.cmdp, case.policy).values.v
    rng = np.random.default_rng(0)
    for guess in (np.zeros_like(exact), rng.normal(0, 3, exact.shape), exact):
        assert (residual_bound(case.cmdp, case.policy, guess) >= exact - 1e-8).all()
    np.testing.assert_allclose(residual_bound(case.cmdp, case.policy, exact), exact, atol=1e-7)


def test_values_are_those_of_a_long_sum() -> None:
    case = some(4, (4, 3), 10)
    cmdp = case.cmdp
    policy = shown(case.policy, max_cost(cmdp, case.policy).adversary)
    kernel = np.einsum("nsa,nsat->nst", policy, cmdp.transitions)
    paid = (policy * expected_signal(cmdp, cmdp.costs)).sum(-1)
    total, mass, now = np.zeros(10), np.zeros((10, 4)), cmdp.start
    for t in range(4000):
        weight = cmdp.gamma**t
        total += weight * (now * paid).sum(-1)
        mass += (1 - cmdp.gamma)[:, None] * weight[:, None] * now
        now = np.einsum("ns,nst->nt", now, kernel)
    values = policy_values(cmdp, policy, cmdp.costs)
    np.testing.assert_allclose((cmdp.start * values.v).sum(-1), total, rtol=1e-9)
    np.testing.assert_allclose(visitation(cmdp, policy), mass, atol=1e-9)
    np.testing.assert_allclose((policy * values.q).sum(-1), values.v, rtol=1e-9, atol=1e-12)
