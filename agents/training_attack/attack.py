"""An attack, its ball and its schedule, as an agent runs it on its own training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from safer_gym.attacks import attack_options, make_attack
from safer_gym.balls import LpBall
from safer_gym.schedules import make_schedule
from safer_gym.types import Attack, Victim


@dataclass(frozen=True)
class Corruption:
    """What an attacker of a given strength makes of a batch of observations.

    `schedule` maps the progress of training in [0, 1] to a fraction of eps; None means all of it.
    """

    attack: Attack
    eps: float | np.ndarray
    norm: str
    schedule: Any = None

    @staticmethod
    def of(
        attack: str | Attack | None,
        eps: float | np.ndarray,
        norm: str,
        schedule: tuple[Any, float, float] | None,
        **options: Any,
    ) -> Corruption | None:
        """Build from an agent's options; a name is looked up among the attacks.

        Raises:
            ValueError: an unknown attack, norm or schedule, or a negative eps.
        """
        LpBall.of(norm, eps)
        rise: Any = None
        if schedule is not None:
            kind, start, end = schedule
            window = {} if kind == "constant" else {"start": start, "end": end}
            rise = make_schedule(kind, **window) if isinstance(kind, str) else kind
        if attack is None:
            return None
        rule = make_attack(attack, **options) if isinstance(attack, str) else attack
        return Corruption(rule, eps, norm, rise)

    @staticmethod
    def stepped(
        attack: str | Attack | None,
        steps: int,
        eps: float | np.ndarray,
        norm: str,
        schedule: tuple[Any, float, float] | None,
    ) -> Corruption | None:
        """The same, where a named attack that climbs takes `steps` gradient steps."""
        climbs = isinstance(attack, str) and "steps" in attack_options(attack)
        return Corruption.of(attack, eps, norm, schedule, **({"steps": steps} if climbs else {}))

    def radius(self, progress: float) -> float | np.ndarray:
        """eps_t of Eq. 67."""
        return self.eps * (1.0 if self.schedule is None else self.schedule(progress))

    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        progress: float,
        generator: torch.Generator,
        box: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    ) -> Tensor:
        """Perturbed observations, detached, inside the box of valid ones (low, high)."""
        ball = LpBall.of(self.norm, self.radius(progress), *box)
        return self.attack(victim, obs, ball, generator).obs.detach()
