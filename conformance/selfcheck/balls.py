"""Projections and steepest ascent directions of lp balls."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from safer_gym.balls import NORMS, LpBall
from safer_gym.conformance.selfcheck.check import Check, refute_unless

_DIMS = 3
Project = Callable[[LpBall, Tensor, Tensor], Tensor]
Direction = Callable[[LpBall, Tensor], Tensor]


def _balls(*, box: bool) -> Iterator[LpBall]:
    for norm in NORMS:
        for eps in (0.5, torch.tensor([0.5, 0.2, 0.0])):
            yield LpBall.of(norm, eps)
            if box:
                yield LpBall.of(norm, eps, -0.3, 0.4)


def _projection_law(project: Project) -> str:
    """<y - p, x - p> <= 0 for every x of the set says that p is the nearest point."""
    generator = torch.Generator().manual_seed(0)
    center = torch.rand(40, _DIMS, dtype=torch.float64, generator=generator) * 0.6 - 0.2
    wanted = center + torch.randn(40, _DIMS, dtype=torch.float64, generator=generator)
    wanted[0], wanted[1], wanted[2] = center[0], center[1] + 1.0, center[2] * 1.001
    worst = 0.0
    for ball in _balls(box=True):
        found = project(ball, center, wanted)
        refute_unless(ball.contains(center, found).all(), f"left the l{ball.p:g} ball")
        for _ in range(25):
            inside = ball.sample(center, generator)
            # Points of the rim find more than points of the middle.
            inside = ball.project(center, center + 3 * (inside - center))
            obtuse = ((wanted - found) * (inside - found)).sum(1).max()
            worst = max(worst, float(obtuse))
        refute_unless(worst <= 1e-9, f"l{ball.p:g}: a point of the set is nearer, by {worst:.2g}")
    return f"<y - p, x - p> <= {worst:.1g} over 12 balls"


def _direction_law(direction: Direction) -> str:
    """Unit gauge, and <g, d> is the dual norm of eps g."""
    generator = torch.Generator().manual_seed(1)
    gradient = torch.randn(50, _DIMS, dtype=torch.float64, generator=generator)
    orders = {1.0: torch.inf, 2.0: 2.0, torch.inf: 1.0}
    for scale in (1.0, 1e-8):
        for ball in _balls(box=False):
            found = direction(ball, scale * gradient)
            refute_unless((ball.gauge(found) <= 1 + 1e-9).all(), f"l{ball.p:g}: leaves the ball")
            dual = torch.linalg.vector_norm(ball.eps * gradient, ord=orders[ball.p], dim=1)
            short = (dual - (gradient * found).sum(1)).abs().max()
            refute_unless(short <= 1e-9, f"l{ball.p:g}: misses the optimum by {short:.2g}")
    return "dual norms to 1e-9, gradients of any scale"


PROJECTION = Check(
    "balls",
    "projection",
    "projections onto l1, l2 and linf balls and their boxes are the nearest points",
    _projection_law,
    LpBall.project,
)
ASCENT = Check(
    "balls",
    "steepest ascent",
    "the ascent direction reaches the maximum of a linear function",
    _direction_law,
    LpBall.ascent_direction,
)
CHECKS = (PROJECTION, ASCENT)
