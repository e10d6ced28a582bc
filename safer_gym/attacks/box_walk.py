"""The walk of `GradientAttack` in a box by `Steepest` steps, for scores that know their gradient.

What `GradientAttack` does in general, written for tensors so small that each operation costs more
than it computes: a NumPy call takes a third of a torch one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safer_gym.attacks.analytic import GRANULE, AnalyticScore
from safer_gym.attacks.step_rules import Steepest
from safer_gym.balls import LpBall


class Box(NamedTuple):
    """A linf ball around each row, [B, O]; points and ends are of the rows' type."""

    low: NDArray
    high: NDArray
    eps: NDArray
    """Length of a step of unit gauge, [] or [O]."""

    @staticmethod
    def around(obs: Tensor, ball: LpBall) -> Box:
        """Where `ball.project` leads, bit for bit: rounded toward `obs`, always inside."""
        center, eps = obs.numpy(), ball.eps.numpy()
        exact = center.astype(np.float64)
        low, high = ((exact + reach).astype(center.dtype) for reach in (-eps, eps))
        for end in (low, high):
            np.nextafter(end, center, out=end, where=np.abs(exact - end) > eps)
        if ball.low is not None:
            valid = ball.low.numpy().astype(center.dtype)
            np.maximum(low, np.minimum(valid, center), out=low)
        if ball.high is not None:
            valid = ball.high.numpy().astype(center.dtype)
            np.minimum(high, np.maximum(valid, center), out=high)
        return Box(low, high, ball.radius(obs).numpy())


class _Rows(NamedTuple):
    """The rows that still move: one that no longer does never will."""

    number: NDArray
    """Where each row is in the batch [b]."""
    score: AnalyticScore
    low: NDArray
    high: NDArray
    reach: NDArray
    """How far the next step goes in each dimension [b, O]."""

    def only(self, kept: NDArray) -> _Rows:
        score = self.score.rows(torch.from_numpy(kept))
        number, *arrays = (part[kept] for part in (self.number, self.low, self.high, self.reach))
        return _Rows(number, score, *arrays)

    def inside(self, points: NDArray) -> NDArray:
        np.maximum(points, self.low, out=points)
        return np.minimum(points, self.high, out=points)

    def look(self, points: NDArray, *, last: bool) -> tuple[NDArray, NDArray]:
        """Values [b] and gradients [b, O]; nobody needs those of the `last` points."""
        tensor = torch.from_numpy(points)
        if last:
            return self.score(tensor).numpy(), points
        values, gradient = self.score.look(tensor)
        return values.numpy(), gradient.numpy()


def box_walk(
    score: AnalyticScore,
    start: tuple[Tensor, Tensor, Tensor],
    box: Box,
    rule: Steepest,
    steps: int,
    jumps: Callable[[], Tensor],
) -> tuple[Tensor, Tensor]:
    """The best points [B, O] of the walk and their values [B].

    Args:
        score: of all rows.
        start: points [B, O], values [B] and gradients [B, O] to start from.
        box: holds the points.
        rule: how long the steps are.
        steps: how many.
        jumps: gives points [steps, B, O] where rows with a gradient of zero go at each step.
    """
    points, values, gradient = (part.numpy() for part in start)
    best_points, best_values = points.copy(), values.copy()
    one, shrink = points.dtype.type(1), points.dtype.type(rule.shrink)
    reach = np.full_like(points, rule.step_size)
    reach *= box.eps
    now = _Rows(np.arange(len(points)), score, box.low, box.high, reach)
    for k in range(steps):
        direction = np.sign(gradient)
        flat = None if np.vdot(direction, direction) == direction.size else _flat(direction)
        wanted = now.reach * direction
        wanted += points
        if flat is not None:
            wanted[flat] = jumps()[k].numpy()[now.number[flat]]
        wanted = now.inside(wanted)
        moving = (wanted != points).any(1)
        if flat is not None:
            moving |= flat
        kept = _worth_keeping(moving)
        if kept is not None:
            if not len(kept):
                break
            flat = None if flat is None else flat[kept]
            now, wanted = now.only(kept), wanted[kept]
        points = wanted
        values, gradient = now.look(points, last=k + 1 == steps)
        better = values > best_values[now.number]
        rows = better.nonzero()[0]
        won = now.number[rows]
        best_values[won], best_points[won] = values[rows], points[rows]
        better = better if flat is None else better | flat
        now.reach[...] *= np.where(better, one, shrink)[:, None]
    return torch.from_numpy(best_points), torch.from_numpy(best_values)


def _flat(direction: NDArray) -> NDArray | None:
    """Rows without a slope [b], if any; entries that are not a number become zero."""
    np.nan_to_num(direction, copy=False, nan=0.0)
    flat: NDArray = ~np.any(direction, axis=1)
    return flat if flat.any() else None


def _worth_keeping(moving: NDArray) -> NDArray | None:
    """Which rows to go on with, where that saves a quarter of them or more; None for all.

    They stay a multiple of `GRANULE`, or all: no row sees in its last bits how many others move.
    """
    n_moving, n_rows = np.count_nonzero(moving), len(moving)
    if n_moving == 0:
        return np.flatnonzero(moving)
    size = -(-n_moving // GRANULE) * GRANULE
    if n_rows % GRANULE != 0 or 4 * size > 3 * n_rows:
        return None
    return np.argsort(~moving, kind="stable")[:size]
