"""Wrong projections and ascent directions."""

from __future__ import annotations

import torch
from mutants.trial import of
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.conformance.selfcheck.balls import ASCENT, PROJECTION


def _rescaled(ball: LpBall, center: Tensor, points: Tensor) -> Tensor:
    delta = points - center
    frozen = delta * (ball.eps > 0)
    shrunk = frozen / ball.gauge(frozen).clamp(min=1.0)[:, None]
    low, high = (float("-inf"), float("inf")) if ball.low is None else (ball.low, ball.high)
    return torch.clamp(center + shrunk, low, high)


def _ball_then_box(ball: LpBall, center: Tensor, points: Tensor) -> Tensor:
    found = LpBall(ball.p, ball.eps).project(center, points)
    if ball.low is None:
        return found
    # The center may lie outside of the box, which is then widened.
    low, high = torch.minimum(ball.low, center), torch.maximum(ball.high, center)
    return torch.minimum(torch.maximum(found, low), high)


def _inside_l2(ball: LpBall, center: Tensor, points: Tensor) -> Tensor:
    """The l2 projection onto half of the ball."""
    return ball.scaled(0.5).project(center, points)


TRIALS = (
    of(
        PROJECTION,
        {
            "rescaling instead of projection": _rescaled,
            "ball first, then clipped to the box": _ball_then_box,
            "one radius for all dimensions": lambda ball, center, points: LpBall(
                ball.p, ball.eps.max(), ball.low, ball.high
            ).project(center, points),
            "box forgotten": lambda ball, center, points: LpBall(ball.p, ball.eps).project(
                center, points
            ),
            "half of the radius": _inside_l2,
        },
    ),
    of(
        ASCENT,
        {
            "scaled gradient in every ball": lambda ball, g: (
                ball.eps * g / ball.gauge(ball.eps * g).nan_to_num(1.0).clamp(min=1e-300)[:, None]
            ),
            "sign in every ball": lambda ball, g: ball.eps * g.sign(),
            "descent": lambda ball, g: -ball.ascent_direction(g),
            "raw gradient": lambda ball, g: g * (ball.eps > 0) * 0.01,
        },
    ),
)
