"""The constrained E-step as pure functions (SAFER, Eq. 4 to 6; CVPO, Proposition 1).

Shapes: N sampled actions, B states; q_reward and q_cost are [N, B], the N actions of a state
drawn from the old policy. Weights [N, B] sum to one over N.
"""

from __future__ import annotations

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
    """g(eta, lam) of Eq. 6 with its derivatives."""

    value: Tensor
    gradient: Tensor
    """[2]: d/d eta = kl_bound - KL(q || pi_old); d/d lam = cost_threshold - E_q[Q_c]."""
    hessian: Tensor
    """[2, 2], positive semi-definite."""
    weights: Tensor
    """q(a|s) / pi_old(a|s) / N of Eq. 5, [N, B]."""


class EStep(NamedTuple):
    """The non-parametric policy of Eq. 5 and how it was found."""

    weights: Tensor
    dual: Dual
    kl: Tensor
    """Mean KL(q || pi_old) over states."""
    cost: Tensor
    """Mean E_q[Q_c] over states."""
    iterations: int
    converged: bool
    feasible: bool
    """False where the multiplier hit its bound and the cost constraint is still violated."""

    def record(self) -> dict[str, Any]:
        """What the logger gets, by key."""
        return {
            "estep_eta": self.dual.eta,
            "estep_lambda": self.dual.lam,
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
    n_actions = q_reward.shape[0]
    score = q_reward - lam * q_cost
    logits = score / eta
    log_mean = torch.logsumexp(logits, dim=0) - torch.log(logits.new_tensor(float(n_actions)))
    weights = torch.softmax(logits, dim=0)
    mean_score = (weights * score).sum(0)
    mean_cost = (weights * q_cost).sum(0)
    value = lam * cost_threshold + eta * (kl_bound + log_mean.mean())
    kl = (mean_score / eta - log_mean).mean()
    gradient = torch.stack([kl_bound - kl, cost_threshold - mean_cost.mean()])
    score_gap, cost_gap = score - mean_score, q_cost - mean_cost
    weighted_gap = weights * score_gap
    cross = (weighted_gap * cost_gap).sum(0).mean() / eta**2
    eta_eta = (weighted_gap * score_gap).sum(0).mean() / eta**3
    lam_lam = (weights * cost_gap.square()).sum(0).mean() / eta
    hessian = torch.stack([eta_eta, cross, cross, lam_lam]).view(2, 2)
    return DualValue(value, gradient, hessian, weights)


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
    scale = torch.tensor([kl_bound, max(abs(cost_threshold), 1e-3)], dtype=torch.float64)
    dual = _clip(start.eta, start.lam, bounds)
    here = dual_value(q_reward, q_cost, dual, kl_bound, cost_threshold)
    converged, iterations = False, 0
    while True:
        gradient = here.gradient.double().cpu()
        blocked = _blocked(dual, gradient, bounds, margin=0.0)
        converged = bool((gradient.abs() <= tolerance * scale)[~blocked].all())
        if converged or iterations >= max_iterations:
            break
        iterations += 1
        apart = _blocked(dual, gradient, bounds, margin=NEAR_BOUND)
        step = _newton_step(gradient * ~blocked, here.hessian.double(), apart)
        dual, here, moved = _line_search(
            q_reward, q_cost, kl_bound, cost_threshold, dual, here, step, bounds
        )
        if not moved:
            break
    slack = here.gradient.tolist()
    feasible = dual.lam < bounds.max_lam or slack[1] >= -tolerance * float(scale[1])
    kl, cost = kl_bound - here.gradient[0], cost_threshold - here.gradient[1]
    return EStep(here.weights.to(dtype), dual, kl, cost, iterations, converged, feasible)


def _clip(eta: float, lam: float, bounds: DualBounds) -> Dual:
    return Dual(min(max(eta, bounds.min_eta), bounds.max_eta), min(max(lam, 0.0), bounds.max_lam))


def _blocked(dual: Dual, gradient: Tensor, bounds: DualBounds, margin: float) -> Tensor:
    """Which variables a descent would push out of the box, from its edge or close to it; [2]."""
    low, high = 1.0 + margin, 1.0 - margin
    at_lower = [dual.eta <= bounds.min_eta * low, dual.lam <= bounds.max_lam * margin]
    at_upper = [dual.eta >= bounds.max_eta * high, dual.lam >= bounds.max_lam * high]
    return (torch.tensor(at_lower) & (gradient > 0)) | (torch.tensor(at_upper) & (gradient < 0))


def _newton_step(gradient: Tensor, hessian: Tensor, apart: Tensor) -> Tensor:
    """-H^-1 g, damped where the curvature vanishes.

    Variables `apart` are near a bound that they are pushed against; the projection will stop them,
    so the others must not count on their share of the step (Bertsekas 1982): they move on their own
    curvature.
    """
    hessian = hessian.cpu()
    joint = (~apart).double()
    diagonal = hessian.diagonal()
    reduced = hessian * joint[:, None] * joint[None, :] + torch.diag(diagonal * apart)
    damping = torch.diag(1e-9 + 1e-6 * diagonal.abs())
    return -torch.linalg.solve(reduced + damping, gradient)


def _line_search(
    q_reward: Tensor,
    q_cost: Tensor,
    kl_bound: float,
    cost_threshold: float,
    dual: Dual,
    here: DualValue,
    step: Tensor,
    bounds: DualBounds,
) -> tuple[Dual, DualValue, bool]:
    """Halve the step until g falls (Armijo); eta may at most shrink or grow tenfold at once.

    The step is shortened as a whole: bent in one variable alone it might no longer descend.
    """
    d_eta, d_lam = step.tolist()
    reach = 0.9 * dual.eta if d_eta < 0 else 9.0 * dual.eta
    share = 1.0 if abs(d_eta) <= reach else reach / abs(d_eta)
    gradient = here.gradient.tolist()
    for _ in range(STEP_HALVINGS):
        trial = _clip(dual.eta + share * d_eta, dual.lam + share * d_lam, bounds)
        there = dual_value(q_reward, q_cost, trial, kl_bound, cost_threshold)
        expected = gradient[0] * (trial.eta - dual.eta) + gradient[1] * (trial.lam - dual.lam)
        target = float(here.value) + SUFFICIENT_DECREASE * expected
        if expected < 0 and float(there.value) <= target:
            return trial, there, trial != dual
        share *= 0.5
    return dual, here, False
