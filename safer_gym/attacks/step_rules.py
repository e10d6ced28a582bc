"""How an attacker walks: from a gradient to a move, before projection.

A rule starts fresh at every call, keeps whatever it needs in tensors with one row a sample, and
decides row by row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from safer_gym.attacks.inputs import as_rows
from safer_gym.balls import LpBall
from safer_gym.choices import choose
from safer_gym.domains import POSITIVE, SHARE_ABOVE_ZERO, SHARE_BELOW_ONE, require


class Visit(NamedTuple):
    """Where each row stands."""

    points: Tensor
    """[B, *O]"""
    gradient: Tensor
    """Gradient of the objective at `points`, [B, *O]; never NaN."""
    improved: Tensor
    """Whether `points` beats everything this row saw before, bool [B]."""


class StepRule(Protocol):
    """Maps a visit to the next points [B, *O] (not yet projected) and its own next state."""

    def __call__(self, visit: Visit, ball: LpBall, state: Any) -> tuple[Tensor, Any]: ...


@dataclass(frozen=True)
class Steepest:
    """Steepest ascent in units of the ball; nothing depends on the scale of the objective.

    The first step has gauge `step_size`: 1 reaches the exact maximum of a linear objective at
    once. A row whose step brought no gain walks on with a step shorter by `shrink`. The rule does
    not know the number of steps, so a longer walk repeats a shorter one and then goes on.
    """

    step_size: float = 1.0
    shrink: float = 0.7

    def __post_init__(self) -> None:
        require(POSITIVE, step_size=self.step_size)
        require(SHARE_ABOVE_ZERO, shrink=self.shrink)

    def __call__(self, visit: Visit, ball: LpBall, state: Any) -> tuple[Tensor, Any]:
        if state is None:
            size = visit.gradient.new_full(visit.improved.shape, self.step_size)
        else:
            size = torch.where(visit.improved, state, self.shrink * state)
        direction = ball.ascent_direction(visit.gradient, visit.points)
        return torch.addcmul(visit.points, as_rows(size, direction), direction), size


@dataclass(frozen=True)
class RawGradient:
    """s + step_size * gradient, Alg. 3 of the paper as an ascent (its minus sign is an erratum).

    The path depends on the scale of the critic.
    """

    step_size: float = 0.2

    def __post_init__(self) -> None:
        require(POSITIVE, step_size=self.step_size)

    def __call__(self, visit: Visit, ball: LpBall, state: Any) -> tuple[Tensor, Any]:
        return visit.points + self.step_size * visit.gradient, None


class _Moments(NamedTuple):
    first: Tensor
    second: Tensor
    taken: int


@dataclass(frozen=True)
class AdamAscent:
    """Adam, as the public code of the paper's attackers does, with fresh moments at every call."""

    step_size: float = 0.1
    decay_first: float = 0.9
    decay_second: float = 0.999
    floor: float = 1e-8

    def __post_init__(self) -> None:
        require(POSITIVE, step_size=self.step_size, floor=self.floor)
        require(SHARE_BELOW_ONE, decay_first=self.decay_first, decay_second=self.decay_second)

    def __call__(self, visit: Visit, ball: LpBall, state: Any) -> tuple[Tensor, Any]:
        g = visit.gradient
        old = state if state is not None else _Moments(torch.zeros_like(g), torch.zeros_like(g), 0)
        taken = old.taken + 1
        first = self.decay_first * old.first + (1 - self.decay_first) * g
        second = self.decay_second * old.second + (1 - self.decay_second) * g * g
        mean = first / (1 - self.decay_first**taken)
        spread = (second / (1 - self.decay_second**taken)).sqrt() + self.floor
        return visit.points + self.step_size * mean / spread, _Moments(first, second, taken)


STEP_RULES: dict[str, Any] = {"steepest": Steepest, "gradient": RawGradient, "adam": AdamAscent}


def make_step_rule(rule: str | StepRule, step_size: float | None = None) -> StepRule:
    """A rule by name ("steepest", "gradient", "adam"), with its own default step size if None.

    Raises:
        ValueError: for an unknown name or step_size <= 0.
    """
    require(POSITIVE.or_none, step_size=step_size)
    if callable(rule):
        return rule if step_size is None else replace(rule, step_size=step_size)  # type: ignore
    made = STEP_RULES[choose("step_rule", rule, STEP_RULES)]
    result: StepRule = made() if step_size is None else made(step_size)
    return result
