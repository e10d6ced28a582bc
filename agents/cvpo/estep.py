"""The constrained E-step as pure functions (SAFER, Eq. 4 to 6; CVPO, Proposition 1).

Shapes: N sampled actions, B states; q_reward and q_cost are [N, B], the N actions of a state
drawn from the old policy. Weights [N, B] sum to one over N.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

STEP_HALVINGS = 30
SUFFICIENT_DECREASE = 1e-4
NEAR_BOUND = 0.01
"""Share of a variable's own size within which a bound ahead counts as reached."""


class Dual(NamedTuple):
    """The dual variables of Eq. 6, as Python floats: there are only two of them."""

    eta: float
    """Temperature, > 0."""
    lam: float
    """Multiplier of the cost constraint, >= 0."""


class DualBounds(NamedTuple):
    """The box that keeps an infeasible batch finite."""

    min_eta: float = 1e-3
    max_eta: float = 1e4
    max_lam: float = 100.0


class DualValue(NamedTuple):
    """g(eta, lam) of Eq. 6 with its derivatives, as Python floats too."""

    value: float
    gradient: tuple[float, float]
    """d/d eta = kl_bound - KL(q || pi_old); d/d lam = cost_threshold - E_q[Q_c]."""
    hessian: tuple[float, float, float]
    """By eta twice, by both, by lam twice; positive semi-definite."""
    weights: Tensor
    """q(a|s) / pi_old(a|s) / N of Eq. 5, [N, B]."""


class EStep(NamedTuple):
    """The non-parametric policy of Eq. 5 and how it was found."""

    weights: Tensor
    dual: Dual
    kl: float
    """Mean KL(q || pi_old) over states."""
    cost: float
    """Mean E_q[Q_c] over states."""
    iterations: int
    converged: bool
    feasible: bool
    """False where the multiplier hit its bound and the cost constraint is still violated."""

    def record(self) -> dict[str, Any]:
        """What the logger gets, by key."""
        return {
            "estep_eta": self.dual.eta,
            "lagrange_multiplier": self.dual.lam,
            "estep_kl": self.kl,
            "estep_cost": self.cost,
            "estep_iterations": self.iterations,
            "estep_converged": self.converged,
            "estep_feasible": self.feasible,
        }


def dual_value(
    q_reward: Tensor, q_cost: Tensor, dual: Dual, kl_bound: float, cost_threshold: float
) -> DualValue:
    """Eq. 6 and its first two derivatives at `dual`, stable for any scale of the critics."""
    eta, lam = dual
    score = torch.sub(q_reward, q_cost, alpha=lam)
    log_weights = torch.log_softmax(score / eta, dim=0)
    weights = log_weights.exp()
    # log sum exp from any one action: weight = exp(score / eta - log sum exp).
    log_sum = torch.add(-log_weights[0], score[0], alpha=1.0 / eta)
    mean_score, mean_cost = (weights * score).sum(0), (weights * q_cost).sum(0)
    score_gap, cost_gap = score - mean_score, q_cost - mean_cost
    weighted_score, weighted_cost = weights * score_gap, weights * cost_gap
    second = [(weighted_score * score_gap), (weighted_score * cost_gap), (weighted_cost * cost_gap)]
    of_states = torch.stack([log_sum, mean_score, mean_cost, *(part.sum(0) for part in second)])
    # One look at the device for all numbers.
    log_sum_mean, score_mean, cost_mean, eta_eta, cross, lam_lam = of_states.mean(1).tolist()
    log_mean = log_sum_mean - math.log(len(q_reward))
    value = lam * cost_threshold + eta * (kl_bound + log_mean)
    gradient = (kl_bound - (score_mean / eta - log_mean), cost_threshold - cost_mean)
    return DualValue(value, gradient, (eta_eta / eta**3, cross / eta**2, lam_lam / eta), weights)


def estep_weights(q_reward: Tensor, q_cost: Tensor, dual: Dual) -> Tensor:
    """Eq. 5 over the sampled actions, [N, B]."""
    return torch.softmax((q_reward - dual.lam * q_cost) / dual.eta, dim=0)


def blend(old: Dual, new: Dual, rate: float) -> Dual:
    """`rate` of `new` in `old`: geometrically for the temperature, linearly for the multiplier."""
    return Dual(old.eta ** (1.0 - rate) * new.eta**rate, (1.0 - rate) * old.lam + rate * new.lam)


def rising(bound: float, progress: float, warmup: float) -> float:
    """A bound that grows linearly from 0 over the first `warmup` of a training's `progress`."""
    return bound if progress >= warmup else bound * progress / warmup


def solve_estep(
    q_reward: Tensor,
    q_cost: Tensor,
    kl_bound: float,
    cost_threshold: float,
    *,
    start: Dual,
    bounds: DualBounds,
    max_iterations: int,
    tolerance: float,
) -> EStep:
    """Minimise the convex dual of Eq. 6 by projected Newton steps; return Eq. 5's weights.

    Converged means: each component of the gradient, which is the slack of a constraint, is below
    `tolerance` times that constraint's bound (or blocked by the box `bounds`). The solver works in
    float64, where a line search near the optimum still sees g fall; weights keep the input dtype.
    """
    dtype = q_reward.dtype
    q_reward, q_cost = q_reward.double(), q_cost.double()
    slack_kl, slack_cost = (
        tolerance * bound for bound in (kl_bound, max(abs(cost_threshold), 1e-3))
    )
    dual = _clip(start.eta, start.lam, bounds)
    here = dual_value(q_reward, q_cost, dual, kl_bound, cost_threshold)
    converged, iterations = False, 0
    while True:
        blocked = _blocked(dual, here.gradient, bounds, margin=0.0)
        slacks = zip(here.gradient, (slack_kl, slack_cost), blocked, strict=True)
        converged = all(stuck or abs(slope) <= slack for slope, slack, stuck in slacks)
        if converged or iterations >= max_iterations:
            break
        iterations += 1
        by_eta, by_lam = (
            0.0 if stuck else slope for slope, stuck in zip(here.gradient, blocked, strict=True)
        )
        apart = any(_blocked(dual, here.gradient, bounds, margin=NEAR_BOUND))
        step = _newton_step((by_eta, by_lam), here.hessian, apart)
        dual, here, moved = _line_search(
            q_reward, q_cost, kl_bound, cost_threshold, dual, here, step, bounds
        )
        if not moved:
            break
    feasible = dual.lam < bounds.max_lam or here.gradient[1] >= -slack_cost
    kl, cost = kl_bound - here.gradient[0], cost_threshold - here.gradient[1]
    return EStep(here.weights.to(dtype), dual, kl, cost, iterations, converged, feasible)


def _clip(eta: float, lam: float, bounds: DualBounds) -> Dual:
    return Dual(min(max(eta, bounds.min_eta), bounds.max_eta), min(max(lam, 0.0), bounds.max_lam))


def _blocked(
    dual: Dual, gradient: tuple[float, float], bounds: DualBounds, margin: float
) -> tuple[bool, bool]:
    """Which variables a descent would push out of the box, from its edge or close to it."""
    low, high = 1.0 + margin, 1.0 - margin
    at_lower = (dual.eta <= bounds.min_eta * low, dual.lam <= bounds.max_lam * margin)
    at_upper = (dual.eta >= bounds.max_eta * high, dual.lam >= bounds.max_lam * high)
    eta, lam = (
        (lower and slope > 0) or (upper and slope < 0)
        for lower, upper, slope in zip(at_lower, at_upper, gradient, strict=True)
    )
    return eta, lam


def _newton_step(
    gradient: tuple[float, float], hessian: tuple[float, float, float], apart: bool
) -> tuple[float, float]:
    """-H^-1 g, damped where the curvature vanishes.

    Variables move `apart`, each on its own curvature, where one is near a bound that it is pushed
    against: the projection will stop it, so the other must not count on its share of the step
    (Bertsekas 1982).
    """
    (by_eta, by_lam), (eta_eta, cross, lam_lam) = gradient, hessian
    eta_eta, lam_lam = (1e-9 + (1.0 + 1e-6) * part for part in (eta_eta, lam_lam))
    cross = 0.0 if apart else cross
    determinant = eta_eta * lam_lam - cross * cross
    return (
        (cross * by_lam - lam_lam * by_eta) / determinant,
        (cross * by_eta - eta_eta * by_lam) / determinant,
    )


def _line_search(
    q_reward: Tensor,
    q_cost: Tensor,
    kl_bound: float,
    cost_threshold: float,
    dual: Dual,
    here: DualValue,
    step: tuple[float, float],
    bounds: DualBounds,
) -> tuple[Dual, DualValue, bool]:
    """Halve the step until g falls (Armijo); eta may at most shrink or grow tenfold at once.

    The step is shortened as a whole: bent in one variable alone it might no longer descend.
    """
    d_eta, d_lam = step
    reach = 0.9 * dual.eta if d_eta < 0 else 9.0 * dual.eta
    share = 1.0 if abs(d_eta) <= reach else reach / abs(d_eta)
    for _ in range(STEP_HALVINGS):
        trial = _clip(dual.eta + share * d_eta, dual.lam + share * d_lam, bounds)
        there = dual_value(q_reward, q_cost, trial, kl_bound, cost_threshold)
        moves = (trial.eta - dual.eta, trial.lam - dual.lam)
        expected = sum(slope * move for slope, move in zip(here.gradient, moves, strict=True))
        target = here.value + SUFFICIENT_DECREASE * expected
        if expected < 0 and there.value <= target:
            return trial, there, trial != dual
        share *= 0.5
    return dual, here, False
