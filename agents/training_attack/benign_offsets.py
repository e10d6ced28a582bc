"""Benign offsets: while it explores, a policy sees its observations moved in a random direction.

No critic and no gradient chooses the direction, so this is exploration, and no attack.
An offset that lasts for many steps leads into the states to which an attack would lead.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from safer_gym.agents.training_attack.attack import TrainingAttack
from safer_gym.balls import LpBall
from safer_gym.types import Victim


class Held(NamedTuple):
    """The directions in use, one an environment."""

    directions: Tensor
    """[E, *O], standard normal draws."""
    left: Tensor
    """[E], for how many more steps each is held."""


def renewed(held: Held | None, like: Tensor, steps: int, generator: torch.Generator) -> Held:
    """The directions of the next step: those whose `steps` are over are drawn anew.

    Args:
        held: those of the step before; None draws all anew.
        like: the observations [E, *O] that will be moved.
    """
    if held is None or held.directions.shape != like.shape:
        held = Held(torch.zeros_like(like), torch.zeros(len(like), dtype=torch.int64))
    over = held.left == 0
    directions = held.directions.clone()
    shape, device = (int(over.sum()), *like.shape[1:]), generator.device
    fresh = torch.randn(shape, dtype=torch.float64, generator=generator, device=device)
    directions[over.to(like.device)] = fresh.to(like)
    return Held(directions, torch.where(over, steps, held.left) - 1)


def moved(obs: Tensor, directions: Tensor, ball: LpBall) -> Tensor:
    """Observations [E, *O] moved to the end of the ball in each direction, cut by its box.

    Where the direction is random, that is a random corner (linf), a random point of the sphere (l2)
    or the whole radius on a random coordinate (l1).
    """
    return ball.project(obs, obs + ball.ascent_direction(directions))


class BenignOffsets:
    """Called as a `TrainingAttack` is, in whose ball the offsets lie. It keeps its directions.

    Each is held for `steps` steps, or until its environment's episode ends.
    """

    def __init__(self, steps: int, within: TrainingAttack) -> None:
        self.steps, self.within = steps, within
        self.held: Held | None = None

    def restart(self, dones: np.ndarray | None = None) -> None:
        """Episodes have ended, [E]; None: all of them."""
        if dones is None:
            self.held = None
        elif self.held is not None:
            ended = torch.as_tensor(dones[: len(self.held.left)], dtype=torch.bool)
            self.held = self.held._replace(left=self.held.left.masked_fill(ended, 0))

    def radius(self, progress: float) -> float | np.ndarray:
        """How far the offsets reach at this progress of training."""
        return self.within.radius(progress)

    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        progress: float,
        generator: torch.Generator,
        box: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
        unit: float | np.ndarray = 1.0,
    ) -> Tensor:
        """What the policy is shown of the first environments, inside the box of valid ones.

        Args:
            unit: what one unit of the radius is, in the observations' own.
        """
        self.held = renewed(self.held, obs, self.steps, generator)
        ball = LpBall.of(self.within.norm, self.radius(progress) * unit, *box)
        return moved(obs, self.held.directions, ball)
