"""An attack, its ball and its schedule, as an agent runs it on its own training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from safer_gym.agents.options import BallOptions
from safer_gym.attacks import ATTACKS, attack_options, make_attack
from safer_gym.balls import LpBall
from safer_gym.choices import choose
from safer_gym.types import Attack, Victim


@dataclass(frozen=True)
class TrainingAttack:
    """What an attacker of a given strength makes of a batch of observations.

    `schedule` maps the progress of training in [0, 1] to a fraction of eps; None means all of it.
    """

    attack: Attack
    eps: float | np.ndarray
    norm: str
    schedule: Any = None

    @staticmethod
    def of(
        attack: str | Attack,
        ball: BallOptions,
        *,
        steps: int | None = None,
        scheduled: bool = True,
        argument: str = "attack",
    ) -> TrainingAttack:
        """Build from an agent's options; a name is looked up among the attacks.

        Args:
            steps: gradient steps of a named attack that climbs.
            scheduled: False is the whole radius from the beginning.
            argument: its name, for messages.

        Raises:
            ValueError: an unknown attack; names the nearest one.
        """
        if not callable(attack):
            attack = choose(argument, attack, ATTACKS)
            climbs = steps is not None and "steps" in attack_options(attack)
            attack = make_attack(attack, **({"steps": steps} if climbs else {}))
        return TrainingAttack(attack, ball.eps, ball.norm, ball.schedule if scheduled else None)

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
        unit: float | np.ndarray = 1.0,
    ) -> Tensor:
        """Perturbed observations, detached, inside the box of valid ones (low, high).

        Args:
            unit: what one unit of the radius is, in the observations' own.
        """
        ball = LpBall.of(self.norm, self.radius(progress) * unit, *box)
        return self.attack(victim, obs, ball, generator).obs.detach()
