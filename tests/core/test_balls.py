"""Balls: projections are the nearest points, directions the steepest, draws stay inside."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor

from safer_gym.balls import LpBall

ORDERS = (1, 2, math.inf)
SEEDS = st.integers(0, 10_000)


def draw_ball(seed: int, p: float, d: int) -> tuple[LpBall, Tensor, Tensor]:
    """A ball (scalar or per-dimension eps, some frozen, with or without a box) and two points."""
    rng = np.random.default_rng(seed)
    center = rng.normal(size=d)
    points = center + rng.normal(size=d) * rng.choice([0.1, 1.0, 5.0])
    if rng.random() < 0.3:
        points[rng.integers(d)] = center[rng.integers(d)]
    if rng.random() < 0.3:
        points = center + np.abs(points[0] - center[0])  # ties
    eps = rng.uniform(0, 1)
    if rng.random() < 0.5:
        eps = rng.uniform(0, 1, size=d) * (rng.random(d) > 0.2)
    low = center - rng.uniform(0, 0.6, d) if rng.random() < 0.5 else None
    high = center + rng.uniform(0, 0.6, d) if rng.random() < 0.5 else None
    return LpBall(p, eps, low, high), torch.tensor(center)[None], torch.tensor(points)[None]


def best_vertex_gain(ball: LpBall, center: Tensor, projected: Tensor, normal: Tensor) -> float:
    """max <normal, x - projected> over many x of the set."""
    many = center.expand(200, -1)
    inside = ball.sample(many, torch.Generator().manual_seed(1))
    pushed = ball.project(many, many + 10 * ball.offsets(many, torch.Generator().manual_seed(2)))
    x = torch.cat([inside, pushed])
    return float(((x - projected) * normal).sum(1).max())


def check_nearest(project, seed: int, p: float, d: int) -> None:
    """Variational inequality: <y - P(y), x - P(y)> <= 0 for every x of the set."""
    ball, center, points = draw_ball(seed, p, d)
    projected = project(ball, center, points)
    assert bool(ball.contains(center, projected, rtol=1e-9))
    assert best_vertex_gain(ball, center, projected, points - projected) <= 1e-9


def rescale(ball: LpBall, center: Tensor, points: Tensor) -> Tensor:
    """The specimen: shrink toward the center until inside. Feasible, not nearest."""
    delta = points - center
    delta = torch.nan_to_num(delta / ball.gauge(delta).clamp(min=1)[:, None])
    return center + torch.clamp(delta, *[b - center for b in boxed(ball, center)])


def boxed(ball: LpBall, center: Tensor) -> tuple[Tensor, Tensor]:
    low = ball.low if ball.low is not None else torch.full_like(center[0], -math.inf)
    high = ball.high if ball.high is not None else torch.full_like(center[0], math.inf)
    return torch.minimum(low, center), torch.maximum(high, center)


@given(SEEDS, st.sampled_from(ORDERS), st.integers(1, 7))
def test_projection_is_the_nearest_point(seed: int, p: float, d: int) -> None:
    check_nearest(LpBall.project, seed, p, d)


@pytest.mark.parametrize("p", [1, 2])
def test_the_check_rejects_rescaling(p: float) -> None:
    def check_many() -> None:
        for seed in range(50):
            check_nearest(rescale, seed, p, 5)

    with pytest.raises(AssertionError):
        check_many()


@given(SEEDS, st.sampled_from(ORDERS), st.integers(1, 7))
def test_projection_is_idempotent_and_keeps_inner_points(seed: int, p: float, d: int) -> None:
    ball, center, points = draw_ball(seed, p, d)
    once = ball.project(center, points)
    assert torch.equal(ball.project(center, once), once)
    assert torch.equal(ball.project(center, center), center)


@given(SEEDS, SEEDS, st.sampled_from(ORDERS))
def test_projection_is_non_expansive(seed: int, other: int, p: float) -> None:
    ball, center, points = draw_ball(seed, p, 5)
    more = points + torch.tensor(np.random.default_rng(other).normal(size=5))
    apart = (ball.project(center, points) - ball.project(center, more)).norm()
    assert apart <= (points - more).norm() + 1e-9


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("seed", range(8))
def test_projection_agrees_with_slsqp(p: float, seed: int) -> None:
    ball, center, points = draw_ball(seed, p, 4)
    eps = ball.eps.expand(4).numpy()
    free = np.where(eps > 0, 1.0, 0.0)
    eps = np.where(eps > 0, eps, 1.0)
    low, high = (b[0].numpy() for b in boxed(ball, center))
    c, y = center[0].numpy(), points[0].numpy()
    low, high = np.maximum(low, c - eps), np.minimum(high, c + eps)
    # d = eps (up - down) with up, down >= 0 makes the l1 norm smooth and the problem well scaled.
    room = np.concatenate([free * (high - c), free * (c - low)]) / np.tile(eps, 2)
    inside = {
        1: lambda z: 1 - z.sum(),
        2: lambda z: 1 - ((z[:4] - z[4:]) ** 2).sum(),
        math.inf: lambda z: 1.0,
    }[p]
    found = minimize(
        lambda z: ((c + eps * (z[:4] - z[4:]) - y) ** 2).sum(),
        np.zeros(8),
        bounds=[(0, r) for r in room],
        constraints={"type": "ineq", "fun": inside},
        options={"ftol": 1e-10, "maxiter": 300},
    )
    assert inside(found.x) >= -1e-6
    ours = float(((ball.project(center, points) - points) ** 2).sum())
    assert ours == pytest.approx(found.fun, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("eps", [0.05, 1e-4, [0.1, 0.0, 0.02, 0.3, 0.01, 0.07]])
@pytest.mark.parametrize("scale", [1.0, 100.0, 1e5])
def test_float32_results_are_inside(p: float, eps: float | list[float], scale: float) -> None:
    torch.manual_seed(0)
    ball = LpBall(p, eps)
    center = torch.randn(500, 6) * scale
    result = ball.project(center, center + torch.randn(500, 6))
    assert result.dtype == torch.float32
    assert bool((ball.gauge(result.double() - center.double()) <= 1 + 1e-9).all())
    naive = center + (ball.project(center * 0, torch.randn(500, 6)))
    if scale == 1e5:  # the specimen: rounding center + delta to nearest leaves the ball
        assert not bool(ball.contains(center, naive).all())


@given(SEEDS, st.sampled_from(ORDERS), st.integers(1, 7))
def test_ascent_direction_maximises_the_linear_form(seed: int, p: float, d: int) -> None:
    """Its gain is the dual norm of eps * g, and it has unit gauge."""
    torch.manual_seed(seed)
    gradient = torch.randn(3, d, dtype=torch.float64)
    ball = LpBall(p, torch.rand(d, dtype=torch.float64) + 0.01)
    direction = ball.ascent_direction(gradient)
    dual = {1: math.inf, 2: 2, math.inf: 1}[p]
    best = torch.linalg.vector_norm(ball.eps * gradient, ord=dual, dim=1)
    torch.testing.assert_close((gradient * direction).sum(1), best)
    torch.testing.assert_close(ball.gauge(direction), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(ball.ascent_direction(1e-200 * gradient), direction)
    assert bool((ball.ascent_direction(0 * gradient) == 0).all())
    if d > 1 and p == 1:  # the specimen: the gradient scaled into the l1 ball gains less
        scaled = gradient / torch.linalg.vector_norm(gradient / ball.eps, ord=1, dim=1)[:, None]
        assert bool(((gradient * scaled).sum(1) < best - 1e-9).all())


@pytest.mark.parametrize("p", ORDERS)
def test_draws_are_uniform_and_do_not_depend_on_the_number_of_rows(p: float) -> None:
    ball = LpBall(p, 0.3)
    many = ball.sample(torch.zeros(4000, 3, dtype=torch.float64), torch.Generator().manual_seed(3))
    few = ball.sample(torch.zeros(7, 3, dtype=torch.float64), torch.Generator().manual_seed(3))
    assert torch.equal(many[:7], few)
    assert bool(ball.contains(torch.zeros_like(many), many).all())
    assert float(many.mean(0).abs().max()) < 0.02
    inner = float((ball.gauge(many) < 0.5).double().mean())  # volume of the half ball: 1 / 8
    assert abs(inner - 0.125) < 0.03


def test_images_and_widened_boxes() -> None:
    center = torch.rand(2, 3, 4, 4) + 0.5  # partly above the box
    ball = LpBall.of("l2", 0.5, low=0.0, high=1.0)
    result = ball.project(center, center + torch.randn(2, 3, 4, 4))
    assert bool(ball.contains(center, result).all())
    assert bool((result <= torch.maximum(center, torch.tensor(1.0))).all())
    assert ball.scaled(0.0).is_point
    assert float(ball.scaled(0.5).eps) == 0.25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 0.1), r"p \(the norm\) must be 1, 2 or inf; got 3"),
        (("linv", 0.1), "Did you mean 'linf'"),
        ((2, -0.1), "eps must be a finite number >= 0, or an array of such; got -0.1"),
        ((2, math.nan), "eps must be a finite number"),
        ((2, 0.1, 1.0, 0.0), "low must not exceed high"),
    ],
)
def test_bad_balls_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LpBall(*arguments)


def test_eps_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"observation of shape \(4,\); got shape \(3,\)"):
        LpBall(2, [0.1, 0.2, 0.3]).project(torch.zeros(2, 4), torch.ones(2, 4))


@given(SEEDS, st.sampled_from([1, 2]), st.integers(1, 7))
def test_ascent_from_a_place_leaves_out_what_the_box_stops(seed: int, p: float, d: int) -> None:
    """Unit gauge at most, no step where there is no room; in l1 none beyond the box either."""
    torch.manual_seed(seed)
    gradient, at = torch.randn(3, d, dtype=torch.float64), torch.rand(3, d, dtype=torch.float64)
    at = torch.where(torch.rand(3, d) < 0.3, at.round(), at)
    ball = LpBall(p, torch.rand(d, dtype=torch.float64) + 0.01, low=0.0, high=1.0)
    step = ball.ascent_direction(gradient, at)
    assert bool((ball.gauge(step) <= 1 + 1e-12).all())
    stopped = torch.where(gradient > 0, at == 1, at == 0)
    assert not bool(step[stopped].any())
    if p == 1:
        assert bool(((at + step >= -1e-12) & (at + step <= 1 + 1e-12)).all())
