"""An attack: the upper corner of the ball, always."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from safer_gym.attacks import register_attack
from safer_gym.types import AttackResult


@dataclass(frozen=True)
class Corner:
    """Adds the same offset everywhere."""

    share: float = 1.0
    per_row_noise: ClassVar = False
    title: ClassVar = "upper corner"
    words: ClassVar = "The same corner of the ball at every step."

    def __call__(self, victim: Any, obs: Any, ball: Any, generator: Any = None) -> AttackResult:
        moved = ball.project(obs, obs + self.share * ball.eps.max().to(obs))
        none = torch.zeros(len(obs), dtype=obs.dtype)
        return AttackResult(moved, none, none)


register_attack("corner", Corner, batteries=("quick",))
