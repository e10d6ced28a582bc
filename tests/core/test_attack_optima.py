"""Attacks against exact maxima: linear, quadratic, and tiny piecewise linear problems."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from core.victims import linear, observations
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from torch import Tensor

from safer_gym.attacks import GradientAttack, MaxCost, RawGradient, Steepest, make_attack
from safer_gym.balls import LpBall
from safer_gym.types import Attack, Victim

ORDERS = (1, 2, math.inf)
DUAL = {1: math.inf, 2: 2, math.inf: 1}
STEEPEST = make_attack("mc")


def check_linear(attack: Attack, seed: int, p: float, steps_scale: float = 1.0) -> None:
    """The maximum of a linear objective over the ball is the dual norm of eps K^T w."""
    problem = linear(seed)
    eps = torch.rand(5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 0.01
    result = attack(problem.victim(steps_scale), observations(seed), LpBall(p, eps))
    gain = (result.objective - result.clean_objective) / steps_scale
    best = torch.linalg.vector_norm(eps * problem.slope, ord=DUAL[p])
    torch.testing.assert_close(gain, best.expand(6), rtol=1e-9, atol=1e-9)


@given(st.integers(0, 1000), st.sampled_from(ORDERS))
@settings(max_examples=20)
def test_linear_problems_are_solved_exactly(seed: int, p: float) -> None:
    check_linear(STEEPEST, seed, p)
    check_linear(STEEPEST, seed, p, steps_scale=1e-6)


class _LastIterate(GradientAttack):
    """Specimen: small fixed steps, eps / steps, from a random start; the last point is returned."""

    def __call__(self, victim, obs, ball, generator=None):
        points = ball.sample(obs, torch.Generator().manual_seed(0))
        score = self.objective(victim, obs)
        for _ in range(self.steps):
            leaf = points.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(score(leaf).sum(), leaf)
            points = ball.project(obs, points + ball.ascent_direction(gradient) / self.steps)
        return super().__call__(victim, obs, ball)._replace(objective=score(points), obs=points)


@pytest.mark.parametrize("p", ORDERS)
def test_the_check_rejects_known_weak_attackers(p: float) -> None:
    weak = [_LastIterate(MaxCost(), steps=10), GradientAttack(MaxCost(), RawGradient())]
    for attack in weak:
        with pytest.raises(AssertionError):
            check_linear(attack, 0, p, steps_scale=1e-3)


@pytest.mark.parametrize("name", ["mr", "min_reward", "mixture"])
def test_signs_of_the_objectives(name: str) -> None:
    problem, obs = linear(0), observations(0)
    delta = make_attack(name)(problem.victim(), obs, LpBall.of("linf", 0.1)).obs - obs
    cost_up = torch.sign(problem.slope).expand_as(obs)
    toward_cost = {"mr": -1, "min_reward": 1, "mixture": 1}[name]
    torch.testing.assert_close(delta, 0.1 * toward_cost * cost_up)


def test_linear_problem_in_ball_and_box() -> None:
    """linf in a box is solved coordinate by coordinate."""
    problem, obs = linear(3), observations(3)
    ball = LpBall(math.inf, 0.5, low=obs.min(0).values - 0.1, high=obs.max(0).values + 0.1)
    result = STEEPEST(problem.victim(), obs, ball)
    edge = torch.where(problem.slope > 0, ball.high, ball.low)
    expected = torch.clamp(edge, obs - 0.5, obs + 0.5)
    torch.testing.assert_close(result.obs, expected)


class _BlindToTheBox(Steepest):
    """Specimen: the steepest coordinate, whether or not the box leaves it room."""

    def __call__(self, visit, ball, state):
        return super().__call__(visit, LpBall(ball.p, ball.eps), state)


@given(st.integers(0, 1000), st.sampled_from([1, 2]), st.floats(0.0, 1.0))
@settings(max_examples=20)
def test_steepest_coordinates_without_room_do_not_stop_an_attack(
    seed: int, p: float, left: float
) -> None:
    """Over a ball cut by the box: the best of a linear objective in l1, nearly so in l2."""
    problem, obs = linear(seed), observations(seed)
    eps = torch.rand(5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 0.1
    room = torch.ones(5, dtype=torch.float64)
    room[(eps * problem.slope).abs().argsort(descending=True)[:2]] = 0.3 * left
    obs = obs[:1]
    ball = LpBall(p, eps, low=obs[0] - eps * room, high=obs[0] + eps * room)
    gains = (eps * problem.slope).abs()
    best = _best_share(gains, room, p)
    result = STEEPEST(problem.victim(), obs, ball)
    gain = float(result.objective - result.clean_objective)
    assert bool(ball.contains(obs, result.obs).all())
    assert gain == pytest.approx(best, rel=1e-6 if p == 1 else 0.1)
    if p == 1 and left == 0.0:
        blind = GradientAttack(MaxCost(), _BlindToTheBox())(problem.victim(), obs, ball)
        assert float(blind.objective - blind.clean_objective) < 1e-9


def _best_share(gains: Tensor, room: Tensor, p: float) -> float:
    """The maximum of gains x u over 0 <= u <= room, ||u||_p <= 1."""
    if p == 1:
        found = linprog(-gains.numpy(), np.ones((1, 5)), [1.0], bounds=[(0, r) for r in room])
        return -float(found.fun)
    scales = np.geomspace(1e-3, 1e6, 20000)[:, None]
    shares = np.minimum(scales * gains.numpy(), room.numpy())
    inside = np.linalg.norm(shares, axis=1) <= 1
    return float((shares[inside] @ gains.numpy()).max())


def test_concave_problem_in_one_dimension() -> None:
    """-(x - peak)^2 over an interval: the clamp of the peak."""
    peaks = torch.tensor([[-3.0], [-0.02], [0.0], [0.017], [0.3]], dtype=torch.float64)
    victim = Victim(lambda s: s, q_cost=lambda s, a: -((a - peaks) ** 2).sum(-1))
    obs = torch.zeros(5, 1, dtype=torch.float64)
    result = make_attack("mc", steps=80)(victim, obs, LpBall(2, 0.05))
    torch.testing.assert_close(result.obs, peaks.clamp(-0.05, 0.05), atol=1e-5, rtol=0)


def trust_region_maximum(a: np.ndarray, b: np.ndarray, radius: float) -> float:
    """max x'Ax / 2 + b'x over ||x|| <= radius, by eigenvalues and bisection on the multiplier."""
    values, vectors = np.linalg.eigh(a)
    beta = vectors.T @ b

    def norm(m: float) -> float:
        return float(np.linalg.norm(beta / (m - values)))

    low, high = max(values[-1], 0.0), max(values[-1], 0.0) + np.linalg.norm(b) / radius + 1.0
    if values[-1] < 0 and norm(0.0) <= radius:
        x = beta / (0.0 - values)
    elif norm(low + 1e-12) < radius:  # the hard case: fill up along the top eigenvector
        x = np.where(np.arange(len(b)) < len(b) - 1, beta / np.minimum(values - low, -1e-9) * -1, 0)
        x[-1] = math.sqrt(max(radius**2 - float(x @ x), 0.0))
    else:
        for _ in range(200):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if norm(middle) > radius else (low, middle)
        x = beta / (high - values)
    return float(0.5 * (values * x * x).sum() + beta @ x)


@pytest.mark.parametrize("kind", ["concave", "indefinite", "hard"])
@pytest.mark.parametrize("seed", range(4))
def test_quadratic_problems_in_the_l2_ball(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    spectrum = {"concave": [-4, -3, -2, -1], "indefinite": [-2, -1, 1, 2], "hard": [-2, -1, 0.5, 2]}
    a = q @ np.diag(spectrum[kind]) @ q.T
    b = rng.normal(size=4)
    if kind == "hard":  # no slope along the top eigenvector
        b = 0.3 * (b - q[:, 3] * (q[:, 3] @ b))
    quadratic, slope = torch.tensor(a), torch.tensor(b)
    victim = Victim(
        lambda s: s, q_cost=lambda s, x: 0.5 * ((x @ quadratic) * x).sum(-1) + x @ slope
    )
    obs = torch.zeros(1, 4, dtype=torch.float64)
    result = make_attack("mc", steps=100, restarts=3)(victim, obs, LpBall(2, 0.7))
    exact = trust_region_maximum(a, b, 0.7)
    assert float(result.objective) <= exact + 1e-9
    assert float(result.objective) >= exact - 1e-3 * abs(exact)


def relu_maximum(w: Tensor, bias: Tensor, top: Tensor, center: Tensor, eps: float) -> float:
    """max of top . relu(w x + bias) over the linf ball: one linear programme a pattern."""
    best = -math.inf
    for pattern in itertools.product((0.0, 1.0), repeat=len(bias)):
        on = np.array(pattern)
        sign = 1 - 2 * on  # on: -(w x + b) <= 0, off: w x + b <= 0
        found = linprog(
            -((top.numpy() * on) @ w.numpy()),
            A_ub=sign[:, None] * w.numpy(),
            b_ub=-sign * bias.numpy(),
            bounds=[(float(c) - eps, float(c) + eps) for c in center],
        )
        if found.success:
            best = max(best, -found.fun + float((top.numpy() * on) @ bias.numpy()))
    return best


@pytest.mark.parametrize("seed", range(6))
def test_piecewise_linear_problems(seed: int) -> None:
    """Never above the exact maximum, and with restarts near it."""
    generator = torch.Generator().manual_seed(seed)
    w, bias, top = (
        torch.randn(shape, dtype=torch.float64, generator=generator)
        for shape in ((6, 3), (6,), (6,))
    )
    victim = Victim(lambda s: s, q_cost=lambda s, x: torch.relu(x @ w.T + bias) @ top)
    obs = observations(seed, rows=1, obs_dim=3)
    exact = relu_maximum(w, bias, top, obs[0], 0.5)
    for name, options in (("mc", {"restarts": 8, "steps": 20}), ("random_search", {"rounds": 40})):
        result = make_attack(name, **options)(victim, obs, LpBall(math.inf, 0.5))
        assert float(result.objective) <= exact + 1e-9
        gap = exact - float(result.objective)
        assert gap <= 0.1 * (exact - float(result.clean_objective)) + 1e-9
