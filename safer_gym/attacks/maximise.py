"""The one loop of all gradient attacks: walk, project, remember the best.

It is blind to what is moved. A point may be an observation, an action or a disturbance; the score
says what it is worth, the centre and the ball say where it may be.

Shapes: B batch, X what is moved.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from safer_gym.attacks.analytic import GRANULE, AnalyticScore
from safer_gym.attacks.inputs import as_rows, draw_seed
from safer_gym.attacks.objectives import Score
from safer_gym.attacks.step_rules import StepRule, Visit
from safer_gym.balls import LpBall


class Found(NamedTuple):
    """The best point of each row, and what it is worth."""

    points: Tensor
    """[B, *X]"""
    values: Tensor
    """[B]"""
    clean_values: Tensor
    """Of the centre [B]."""


def maximise(
    score: Score,
    centre: Tensor,
    ball: LpBall,
    rule: StepRule,
    generator: torch.Generator | None = None,
    *,
    steps: int = 10,
    restarts: int = 1,
    random_start: bool = False,
) -> Found:
    """The best points that walks from the centre visit, the centre included.

    Args:
        score: what is to be made large.
        centre: where the balls are around [B, *X].
        ball: holds the points.
        rule: how to walk.
        generator: of all random offsets, which the rows share; one number is drawn from it.
        steps: of each walk.
        restarts: number of walks; those after the first start at a random point.
        random_start: start the first walk at a random point too.
    """
    if ball.is_point:
        values = score(centre)
        return Found(centre, values, values)
    clean = best = _look(score, centre)
    seed = draw_seed(generator)
    starts = _offsets(centre, ball, restarts, seed)
    for walk in range(restarts):
        start = clean
        if walk > 0 or random_start:
            start = _look(score, ball.project(centre, centre + starts()[walk]))
        jumps = _offsets(centre, ball, steps, seed + 1 + walk)
        found = _walk(score, centre, ball, rule, start, steps, jumps)
        best = found if start is best else best.better(found.values > best.values, found)
    return Found(best.points, best.values, clean.values)


class _Place(NamedTuple):
    """A point for each row, and what the score looks like there."""

    points: Tensor
    values: Tensor
    gradient: Tensor

    def better(self, wins: Tensor, other: _Place) -> _Place:
        """`other` in the rows of `wins` [B]; the gradient is not kept up."""
        rows = as_rows(wins, self.points)
        return _Place(
            torch.where(rows, other.points, self.points),
            torch.where(wins, other.values, self.values),
            self.gradient,
        )


class _Walkers(NamedTuple):
    """The rows that still walk."""

    score: Score
    centre: Tensor
    project: Callable[[Tensor], Tensor]
    here: _Place
    improved: Tensor
    """Whether `here` beats everything that the row visited before, bool [b]."""
    state: Any = None
    """Of the step rule."""
    settled: Tensor | None = None
    """Rows that will move no more, bool [b]; None: there is none."""
    number: Tensor | None = None
    """Where each row is in the batch [b]; None: they are all of it."""

    def only(self, kept: Tensor, ball: LpBall) -> _Walkers:
        """Some of the rows; `kept` [k]."""
        score: AnalyticScore = self.score  # type: ignore[assignment]
        centre = self.centre[kept]
        rows = {
            name: _rows_of(getattr(self, name), kept)
            for name in ("here", "improved", "state", "settled", "number")
        }
        if self.number is None:
            rows["number"] = kept
        return _Walkers(score.rows(kept), centre, ball.around(centre), **rows)


def _walk(
    score: Score,
    centre: Tensor,
    ball: LpBall,
    rule: StepRule,
    start: _Place,
    steps: int,
    jumps: Callable[[], Tensor],
) -> _Place:
    """The best place of one walk. `jumps()[k]` is how far rows without a slope go at step k."""
    best, improved = start, torch.ones_like(start.values, dtype=torch.bool)
    now = _Walkers(score, centre, ball.around(centre), start, improved)
    for k in range(steps):
        visit = Visit(now.here.points, now.here.gradient, now.improved)
        wanted, state = rule(visit, ball, now.state)
        flat = _rows_without(visit.gradient)
        if flat is not None:
            wanted = torch.where(as_rows(flat, wanted), now.centre + jumps()[k], wanted)
        points = now.project(wanted)
        settled = _settled(now, points, flat, ball)
        now = now._replace(state=state, settled=settled)
        if settled is not None:
            points = torch.where(as_rows(settled, points), visit.points, points)
            kept = _worth_keeping(settled, now.score)
            if kept is not None and not len(kept):
                break
            if kept is not None:
                now, points, flat = now.only(kept, ball), points[kept], _rows_of(flat, kept)
        here = _look(now.score, points, last=k + 1 == steps)
        best, improved = _record(best, here, now.number)
        now = now._replace(here=here, improved=improved if flat is None else improved | flat)
    return best


def _record(best: _Place, here: _Place, number: Tensor | None) -> tuple[_Place, Tensor]:
    """The best of the batch beside `here`, and the rows of `here` that improved on it, bool [b]."""
    if number is None:
        improved = here.values > best.values
        return best.better(improved, here), improved
    improved = here.values > best.values[number]
    won = number[improved]
    points = best.points.index_copy(0, won, here.points[improved])
    values = best.values.index_copy(0, won, here.values[improved])
    return _Place(points, values, best.gradient), improved


def _rows_without(gradient: Tensor) -> Tensor | None:
    """Rows whose gradient is zero, bool [B]; None where there is none, as nearly always."""
    if bool(gradient.all()):
        return None
    sloped = gradient.flatten(1).any(1)
    return None if bool(sloped.all()) else ~sloped


def _settled(now: _Walkers, points: Tensor, flat: Tensor | None, ball: LpBall) -> Tensor | None:
    """Rows that did not move, neither now nor on the steepest way up, and those before them."""
    here = now.here
    still = _alike(points, here.points)
    if flat is not None:
        still &= ~flat
    if now.settled is not None:
        still &= ~now.settled
    if not bool(still.any()):
        return now.settled
    upward = now.project(here.points + ball.ascent_direction(here.gradient, here.points))
    still &= _alike(upward, here.points)
    return still if now.settled is None else still | now.settled


def _alike(points: Tensor, others: Tensor) -> Tensor:
    """Which rows are equal, bool [B]."""
    return (points == others).flatten(1).all(1)


def _worth_keeping(settled: Tensor, score: Score) -> Tensor | None:
    """Which rows to go on with [k], where that saves a quarter of them or more; None for all.

    They stay a multiple of `GRANULE`: no row sees in its last bits how many others walk.
    """
    n_rows = len(settled)
    n_walking = n_rows - int(torch.count_nonzero(settled))
    size = -(-n_walking // GRANULE) * GRANULE
    can_drop = isinstance(score, AnalyticScore) and n_rows % GRANULE == 0
    if n_walking and not (can_drop and 4 * size <= 3 * n_rows):
        return None
    return settled.to(torch.uint8).argsort(stable=True)[:size]


def _rows_of(state: Any, kept: Tensor) -> Any:
    """The same for some of the rows: tensors, also inside tuples, have a row each."""
    if isinstance(state, Tensor):
        return state[kept]
    if isinstance(state, tuple):
        parts = [_rows_of(part, kept) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    return state


def _offsets(centre: Tensor, ball: LpBall, n: int, seed: int) -> Callable[[], Tensor]:
    """`n` random offsets [n, *X], drawn when first asked for."""

    @cache
    def draw() -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return ball.offsets(centre[:1].expand(n, *centre.shape[1:]), generator)

    return draw


def _look(score: Score, points: Tensor, *, last: bool = False) -> _Place:
    """Values [B] and gradients [B, *X] at `points`; no step needs those of the `last` ones."""
    if last:
        return _Place(points, score(points), points)
    if isinstance(score, AnalyticScore):
        values, gradient = score.look(points)
        return _Place(points, values, torch.nan_to_num(gradient, nan=0.0))
    with torch.enable_grad():
        leaf = points.detach().clone().requires_grad_(True)
        values = score(leaf)
        found: Tensor | None = None
        if values.requires_grad:
            (found,) = torch.autograd.grad(values.sum(), leaf, allow_unused=True)
    if found is None:
        raise ValueError(
            "the victim gives no gradient: its action is not a differentiable torch function of "
            "the observation (numpy inside, detach() or no_grad() do this); use a gradient-free "
            "attack instead: 'random_search', 'uniform' or 'gaussian'"
        )
    return _Place(points, values.detach(), torch.nan_to_num(found, nan=0.0))
