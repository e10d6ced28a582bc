"""One batched step of attack and policy, the same bit for bit whoever else is in the batch.

Every call runs on a batch of `ROWS` rows, episode i in row i mod ROWS, and draws its random
numbers from a stream of its own step. So an episode's actions depend on nothing but its own
observations, its row and the step: not on how many episodes run beside it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from safer_gym.balls import LpBall
from safer_gym.types import Attack, Victim

ROWS = 25
"""Rows of every batch; a block of this many episodes shares its calls."""


class Actor(Protocol):
    """What the episode loop needs: observations in, actions out."""

    def act(
        self, obs: dict[int, NDArray], *, block: int, step: int
    ) -> dict[int, tuple[NDArray, NDArray]]:
        """Row to observation [O], to row to (what the policy saw [O], its action [A])."""
        ...


class Tamperer:
    """Shows the victim tampered observations and returns its deterministic actions."""

    def __init__(
        self, victim: Victim, attack: Attack, ball: LpBall, *, seed: int, device: str = "cpu"
    ) -> None:
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
        seen = self.attack(self.victim, clean, self.ball, self._generator(block, step)).obs
        with torch.no_grad():
            actions = self.victim.action(seen).cpu().numpy()
        shown = seen.cpu().numpy()
        return {row: (shown[row], actions[row]) for row in obs}

    def _padded(self, obs: dict[int, NDArray]) -> torch.Tensor:
        filler = next(iter(obs.values()))
        batch = np.stack([obs.get(row, filler) for row in range(ROWS)]).astype(np.float32)
        if not np.isfinite(batch).all():
            raise ValueError("the environment returned an observation that is not finite")
        return torch.as_tensor(batch, device=self.device)

    def _generator(self, block: int, step: int) -> torch.Generator:
        words = np.random.SeedSequence([self.seed, block, step]).generate_state(2, np.uint32)
        word = (int(words[0]) << 31) ^ int(words[1])
        return torch.Generator(self.device).manual_seed(word)
