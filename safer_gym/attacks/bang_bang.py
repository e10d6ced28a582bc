"""Attackers that push with all they have, in a direction that looks at nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from safer_gym.attacks.inputs import prepare, quiet_generator, uniform
from safer_gym.attacks.noise import without_objective
from safer_gym.balls import LpBall
from safer_gym.choices import choose
from safer_gym.types import AttackResult, Channel, Victim

CORNERS = ("random", "low", "high")


@dataclass(frozen=True)
class BangBang:
    """A corner of the ball: the whole radius in every entry.

    Args:
        corner: "low" or "high", the same entry for entry at every step, or "random", a sign of its
            own for each row and entry.
        held: a random corner is kept for the whole episode; otherwise each step draws one.

    Raises:
        ValueError: another corner.
    """

    channel: ClassVar[Channel] = "disturbance"
    title: ClassVar = "bang-bang"
    words: ClassVar = "The whole radius in every entry, without a look at the state."

    corner: str = "random"
    held: bool = False

    def __post_init__(self) -> None:
        choose("corner", self.corner, CORNERS)

    @property
    def per_row_noise(self) -> bool:
        """Whether the rows of a batch draw corners of their own."""
        return self.corner == "random"

    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        obs = prepare(obs)
        push = ball.eps.to(obs) * self._signs(obs, quiet_generator(generator))
        return without_objective(ball.project(obs, obs + push))

    def _signs(self, obs: Tensor, generator: torch.Generator) -> Tensor:
        if self.corner != "random":
            return torch.full_like(obs, 1.0 if self.corner == "high" else -1.0)
        return (uniform(obs.shape, generator) < 0.5).to(obs) * 2 - 1
