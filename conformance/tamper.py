"""One batched step of attack and policy, the same bit for bit whoever else is in the batch.

Every call runs on a batch of `ROWS` rows, episode i in row i mod ROWS, and draws its random
numbers from a stream of its own step. So an episode's actions depend on nothing but its own
observations, its row and the step: not on how many episodes run beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from safer_gym.balls import LpBall
from safer_gym.types import Attack, Victim

ROWS = 25
"""Rows of every batch; a block of this many episodes shares its calls."""


Draw = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
"""Observations [B, *O] and a source of noise to actions [B, A], drawn row by row in order."""

_ACTION_STREAM = 1
"""Keeps the policy's own noise apart from the attack's."""


class Actor(Protocol):
    """What the episode loop needs: observations in, actions out."""

    def act(
        self, obs: dict[int, NDArray], *, block: int, step: int
    ) -> dict[int, tuple[NDArray, NDArray]]:
        """Row to observation [O], to row to (what the policy saw [O], its action [A])."""
        ...


class Tamperer:
    """Shows the victim tampered observations and returns its actions.

    Args:
        victim: who is deceived.
        attack: what moves the observations, inside `ball`.
        seed: of the attack's and of the policy's random numbers.
        draw: the stochastic policy; None lets the victim act by its deterministic action.
        fixed: the attack's random numbers at a step are the same in every block. With an attack
            whose draws the rows of a batch share this makes it one fixed adversary, and the
            episodes that meet it independent of each other.
    """

    def __init__(
        self,
        victim: Victim,
        attack: Attack,
        ball: LpBall,
        *,
        seed: int,
        device: str = "cpu",
        draw: Draw | None = None,
        fixed: bool = False,
    ) -> None:
        self.draw = draw
        self.fixed = fixed
        self.victim = victim
        self.attack = attack
        self.ball = ball
        self.seed = seed
        self.device = device

    def act(
        self, obs: dict[int, NDArray], *, block: int, step: int
    ) -> dict[int, tuple[NDArray, NDArray]]:
        """Attack and answer all rows of `obs` at once.

        Raises:
            ValueError: an observation that is not finite.
        """
        clean = self._padded(obs)
        stream = (step,) if self.fixed else (block, step)
        seen = self.attack(self.victim, clean, self.ball, self._generator(*stream)).obs
        with torch.no_grad():
            actions = self._actions(seen, block, step).cpu().numpy()
        shown = seen.cpu().numpy()
        return {row: (shown[row], actions[row]) for row in obs}

    def _padded(self, obs: dict[int, NDArray]) -> torch.Tensor:
        filler = next(iter(obs.values()))
        batch = np.stack([obs.get(row, filler) for row in range(ROWS)]).astype(np.float32)
        if not np.isfinite(batch).all():
            raise ValueError("the environment returned an observation that is not finite")
        return torch.as_tensor(batch, device=self.device)

    def _actions(self, seen: torch.Tensor, block: int, step: int) -> torch.Tensor:
        if self.draw is None:
            return self.victim.action(seen)
        return self.draw(seen, self._generator(block, step, _ACTION_STREAM))

    def _generator(self, *stream: int) -> torch.Generator:
        words = np.random.SeedSequence([self.seed, *stream]).generate_state(2, np.uint32)
        word = (int(words[0]) << 31) ^ int(words[1])
        return torch.Generator(self.device).manual_seed(word)
