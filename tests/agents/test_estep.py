"""The constrained E-step: laws of its dual, of its solution, and specimens that break them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor

from safer_gym.agents.cvpo.estep import (
    Dual,
    DualBounds,
    DualValue,
    EStep,
    dual_value,
    solve_estep,
)

BOUNDS = DualBounds()
TOLERANCE = 1e-6
DualFn = Callable[[Tensor, Tensor, Dual, float, float], DualValue]


class Problem:
    """A batch whose constraints can be met strictly: `witness` is a policy that does."""

    def __init__(self, seed: int, n_actions: int, n_states: int, scale: float, pull: float) -> None:
        generator = torch.Generator().manual_seed(seed)
        shape = (n_actions, n_states)
        self.q_reward = scale * torch.randn(shape, dtype=torch.float64, generator=generator)
        self.q_cost = torch.rand(shape, dtype=torch.float64, generator=generator)
        self.q_cost += pull * self.q_reward / scale  # reward has its price
        self.kl_bound = 0.1
        tilt = 1.0
        while kl_to_uniform(torch.softmax(-tilt * self.q_cost, 0)) > 0.5 * self.kl_bound:
            tilt *= 0.7
        self.witness = torch.softmax(-tilt * self.q_cost, 0)
        self.threshold = float(expectation(self.witness, self.q_cost)) + 1e-3

    def solve(self, start: Dual = Dual(1.0, 0.0), iterations: int = 200) -> EStep:  # noqa: B008
        return solve_estep(
            self.q_reward,
            self.q_cost,
            self.kl_bound,
            self.threshold,
            start=start,
            bounds=BOUNDS,
            max_iterations=iterations,
            tolerance=TOLERANCE,
        )


def kl_to_uniform(weights: Tensor) -> float:
    """KL(q || pi_old), mean over states, where the actions are equally weighted draws of pi_old."""
    return float((weights * (weights * weights.shape[0]).clamp_min(1e-300).log()).sum(0).mean())


def expectation(weights: Tensor, values: Tensor) -> Tensor:
    return (weights * values).sum(0).mean()


problems = st.builds(
    Problem,
    seed=st.integers(0, 10_000),
    n_actions=st.integers(4, 24),
    n_states=st.integers(1, 6),
    scale=st.sampled_from([0.1, 1.0, 30.0]),
    pull=st.sampled_from([0.0, 0.5]),
)
duals = st.builds(Dual, eta=st.floats(0.2, 5.0), lam=st.floats(0.0, 3.0))
laws = settings(max_examples=20)


# ---------------------------------------------------------------- the dual function


def check_gradient(dual_fn: DualFn, problem: Problem, dual: Dual) -> None:
    """The gradient is that of the value (finite differences), and it is the constraints' slack."""

    def value(eta: float, lam: float) -> float:
        here = Dual(eta, lam)
        return float(
            dual_fn(
                problem.q_reward, problem.q_cost, here, problem.kl_bound, problem.threshold
            ).value
        )

    h = 1e-5
    by_eta = (value(dual.eta + h, dual.lam) - value(dual.eta - h, dual.lam)) / (2 * h)
    by_lam = (value(dual.eta, dual.lam + h) - value(dual.eta, dual.lam - h)) / (2 * h)
    here = dual_fn(problem.q_reward, problem.q_cost, dual, problem.kl_bound, problem.threshold)
    assert by_eta == pytest.approx(float(here.gradient[0]), rel=1e-4, abs=1e-5)
    assert by_lam == pytest.approx(float(here.gradient[1]), rel=1e-4, abs=1e-5)
    slack_kl = problem.kl_bound - kl_to_uniform(here.weights)
    slack_cost = problem.threshold - float(expectation(here.weights, problem.q_cost))
    assert slack_kl == pytest.approx(float(here.gradient[0]), abs=1e-9)
    assert slack_cost == pytest.approx(float(here.gradient[1]), abs=1e-9)


@laws
@given(problems, duals)
def test_the_gradient_is_the_slack_of_the_constraints(problem: Problem, dual: Dual) -> None:
    check_gradient(dual_value, problem, dual)


@laws
@given(problems, duals)
def test_the_hessian_is_right_and_positive_semi_definite(problem: Problem, dual: Dual) -> None:
    args = (problem.kl_bound, problem.threshold)

    def gradient(eta: float, lam: float) -> Tensor:
        here = dual_value(problem.q_reward, problem.q_cost, Dual(eta, lam), *args)
        return torch.tensor(here.gradient, dtype=torch.float64)

    h = 1e-5
    columns = [
        (gradient(dual.eta + h, dual.lam) - gradient(dual.eta - h, dual.lam)) / (2 * h),
        (gradient(dual.eta, dual.lam + h) - gradient(dual.eta, dual.lam - h)) / (2 * h),
    ]
    eta_eta, cross, lam_lam = dual_value(problem.q_reward, problem.q_cost, dual, *args).hessian
    hessian = torch.tensor([[eta_eta, cross], [cross, lam_lam]], dtype=torch.float64)
    scale = max(1.0, float(hessian.abs().max()))
    torch.testing.assert_close(torch.stack(columns, 1), hessian, rtol=1e-3, atol=1e-5 * scale)
    assert float(torch.linalg.eigvalsh(hessian).min()) >= -1e-9 * scale


@laws
@given(problems, duals, duals, st.floats(0.0, 1.0))
def test_the_dual_is_convex(problem: Problem, a: Dual, b: Dual, share: float) -> None:
    def value(dual: Dual) -> float:
        args = (problem.kl_bound, problem.threshold)
        return float(dual_value(problem.q_reward, problem.q_cost, dual, *args).value)

    between = Dual(*(share * x + (1 - share) * y for x, y in zip(a, b, strict=True)))
    chord = share * value(a) + (1 - share) * value(b)
    assert value(between) <= chord + 1e-9 * max(1.0, abs(chord))


def forgets_the_threshold(
    q_reward: Tensor, q_cost: Tensor, dual: Dual, kl_bound: float, threshold: float
) -> DualValue:
    """Specimen: lam * kappa is missing from the value."""
    right = dual_value(q_reward, q_cost, dual, kl_bound, threshold)
    return right._replace(value=right.value - dual.lam * threshold)


def subtracts_the_cost_twice(
    q_reward: Tensor, q_cost: Tensor, dual: Dual, kl_bound: float, threshold: float
) -> DualValue:
    """Specimen: an in-place subtraction that is repeated for the weights."""
    right = dual_value(q_reward, q_cost, dual, kl_bound, threshold)
    logits = (q_reward - 2.0 * dual.lam * q_cost) / dual.eta
    return right._replace(weights=torch.softmax(logits, 0))


@pytest.mark.parametrize("specimen", [forgets_the_threshold, subtracts_the_cost_twice])
def test_the_gradient_check_rejects(specimen: DualFn) -> None:
    problem = Problem(seed=0, n_actions=12, n_states=4, scale=1.0, pull=0.5)
    with pytest.raises(AssertionError):
        check_gradient(specimen, problem, Dual(1.0, 0.7))


# ---------------------------------------------------------------- the solution


def check_optimality(problem: Problem, weights: Tensor, dual: Dual) -> None:
    """The Karush-Kuhn-Tucker conditions of Eq. 4, and the form of Eq. 5."""
    torch.testing.assert_close(weights.sum(0), torch.ones_like(weights[0]))
    kl, cost = kl_to_uniform(weights), float(expectation(weights, problem.q_cost))
    assert kl <= problem.kl_bound * (1 + 1e-5)
    assert cost <= problem.threshold + 1e-5
    assert dual.lam >= 0
    assert dual.lam * (problem.threshold - cost) == pytest.approx(0.0, abs=1e-4)
    if dual.eta > BOUNDS.min_eta:
        assert kl == pytest.approx(problem.kl_bound, rel=1e-4)
    # Stationarity: log w is the score over eta, up to one constant for each state.
    score = (problem.q_reward - dual.lam * problem.q_cost) / dual.eta
    constant = weights.clamp_min(1e-300).log() - score
    weight = weights / weights.sum(0)
    spread = (weight * (constant - (weight * constant).sum(0)).square()).sum(0)
    assert float(spread.max()) <= 1e-6


@laws
@given(problems)
def test_the_solution_meets_the_optimality_conditions(problem: Problem) -> None:
    estep = problem.solve()
    assert estep.feasible
    assert estep.converged
    check_optimality(problem, estep.weights, estep.dual)
    assert float(estep.kl) == pytest.approx(kl_to_uniform(estep.weights), abs=1e-8)
    assert float(estep.cost) == pytest.approx(float(expectation(estep.weights, problem.q_cost)))


def test_the_optimality_check_rejects_a_cost_subtracted_twice() -> None:
    problem = Problem(seed=0, n_actions=12, n_states=4, scale=1.0, pull=0.5)
    dual = problem.solve().dual
    assert dual.lam > 0.1
    args = (problem.q_reward, problem.q_cost, dual, problem.kl_bound, problem.threshold)
    with pytest.raises(AssertionError):
        check_optimality(problem, subtracts_the_cost_twice(*args).weights, dual)


@laws
@given(problems, st.integers(0, 10_000))
def test_no_feasible_policy_earns_more(problem: Problem, seed: int) -> None:
    """Mixtures of the witness with random policies, as far as they keep both constraints."""
    best = float(expectation(problem.solve().weights, problem.q_reward))
    generator = torch.Generator().manual_seed(seed)
    for _ in range(20):
        noise = torch.randn(
            problem.q_reward.shape, dtype=torch.float64, generator=generator
        ) + problem.q_reward / problem.q_reward.std().clamp_min(1e-9)
        rival = torch.softmax(noise, 0)
        for share in (1.0, 0.5, 0.2, 0.05):
            mixed = share * rival + (1 - share) * problem.witness
            is_feasible = kl_to_uniform(mixed) <= problem.kl_bound
            if is_feasible and expectation(mixed, problem.q_cost) <= problem.threshold:
                earned = float(expectation(mixed, problem.q_reward))
                assert earned <= best + 1e-5 * max(1.0, abs(best))


@laws
@given(problems)
def test_the_minimum_is_that_of_a_general_solver(problem: Problem) -> None:
    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        here = dual_value(
            problem.q_reward, problem.q_cost, Dual(*x), problem.kl_bound, problem.threshold
        )
        return here.value, np.array(here.gradient)

    box = [(BOUNDS.min_eta, BOUNDS.max_eta), (0.0, BOUNDS.max_lam)]
    theirs = minimize(
        objective, [1.0, 0.1], jac=True, bounds=box, method="SLSQP", options={"ftol": 1e-12}
    ).fun
    ours = objective(np.array(problem.solve().dual))[0]
    assert ours <= theirs + 1e-7 * max(1.0, abs(theirs))


@laws
@given(problems, st.floats(0.01, 100.0), st.floats(0.0, 50.0))
def test_any_start_leads_to_the_same_weights(problem: Problem, eta: float, lam: float) -> None:
    reached = problem.solve(start=Dual(eta, lam))
    torch.testing.assert_close(reached.weights, problem.solve().weights, rtol=1e-3, atol=1e-5)


gaps = st.sampled_from([0.0, 2e-16, 1e-12, 1e-6, 0.003, 0.03, 0.5])


@laws
@given(problems, st.floats(0.3, 3.0), gaps)
def test_an_infeasible_batch_takes_the_multiplier_to_its_bound_and_says_so(
    problem: Problem, factor: float, gap: float
) -> None:
    """Also from close to the solution, where rounding has left the multiplier below its bound."""
    problem.threshold = float(problem.q_cost.min()) - 1.0
    eta = factor * problem.solve().dual.eta
    estep = problem.solve(start=Dual(eta, BOUNDS.max_lam * (1.0 - gap)))
    assert estep.dual.lam == BOUNDS.max_lam
    assert estep.converged
    assert not estep.feasible
    assert torch.isfinite(estep.weights).all()
    torch.testing.assert_close(estep.weights.sum(0), torch.ones_like(estep.weights[0]))
    assert float(estep.cost) < float(problem.q_cost.mean())


def test_equal_actions_are_weighted_equally() -> None:
    ones = torch.ones(6, 2, dtype=torch.float64)
    estep = solve_estep(
        ones,
        0.0 * ones,
        0.1,
        1.0,
        start=Dual(1.0, 0.0),
        bounds=BOUNDS,
        max_iterations=50,
        tolerance=1e-6,
    )
    torch.testing.assert_close(estep.weights, ones / 6)
    assert estep.dual.lam == 0


def test_weights_keep_the_input_dtype() -> None:
    problem = Problem(seed=1, n_actions=8, n_states=3, scale=1.0, pull=0.5)
    problem.q_reward, problem.q_cost = problem.q_reward.float(), problem.q_cost.float()
    assert problem.solve().weights.dtype == torch.float32


# ---------------------------------------------------------------- invariances


@laws
@given(problems, st.floats(-1e3, 1e3))
def test_a_constant_reward_changes_nothing(problem: Problem, constant: float) -> None:
    before = problem.solve()
    problem.q_reward = problem.q_reward + constant
    after = problem.solve()
    torch.testing.assert_close(after.weights, before.weights, rtol=1e-3, atol=1e-5)


@laws
@given(problems, st.randoms(use_true_random=False))
def test_permuted_actions_get_permuted_weights(problem: Problem, random: object) -> None:
    before = problem.solve()
    order = torch.as_tensor(random.sample(range(len(problem.q_reward)), len(problem.q_reward)))  # type: ignore[attr-defined]
    problem.q_reward, problem.q_cost = problem.q_reward[order], problem.q_cost[order]
    after = problem.solve()
    torch.testing.assert_close(after.weights, before.weights[order], rtol=1e-3, atol=1e-5)


@laws
@given(problems, st.sampled_from([0.25, 3.0, 10.0]))
def test_scaled_critics_scale_the_temperature(problem: Problem, factor: float) -> None:
    before = problem.solve()
    problem.q_reward, problem.q_cost = factor * problem.q_reward, factor * problem.q_cost
    problem.threshold *= factor
    after = problem.solve()
    assert after.dual.eta == pytest.approx(factor * before.dual.eta, rel=1e-3)
    assert after.dual.lam == pytest.approx(before.dual.lam, rel=1e-3, abs=1e-4)
    torch.testing.assert_close(after.weights, before.weights, rtol=1e-3, atol=1e-5)
