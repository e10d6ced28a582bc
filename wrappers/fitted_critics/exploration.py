"""Exploration of one episode: slow departures from what the policy does.

A: numbers of an action's row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safer_gym.wrappers.action_rows import ActionRows, BoxRows, ChoiceRows

MEMORY = 0.9
"""Correlation of exploration noise from step to step: about ten steps in one direction."""


class Wobble:
    """An AR(1) process added to continuous actions."""

    def __init__(self, rows: BoxRows, scale: float, rng: np.random.Generator) -> None:
        self.low, self.high = (end.double().numpy() for end in (rows.low, rows.high))
        width = self.high - self.low
        self.scale = scale * np.where(np.isfinite(width), width / 2, 1.0)
        self.rng, self.state = rng, rng.standard_normal(rows.width)

    def act(self, row: NDArray) -> NDArray:
        """What is done where the policy says `row` [A]."""
        fresh = self.rng.standard_normal(self.state.shape)
        self.state = MEMORY * self.state + np.sqrt(1 - MEMORY**2) * fresh
        return np.clip(row + self.scale * self.state, self.low, self.high)


class Flips:
    """Discrete actions replaced by random ones, each for about ten steps."""

    def __init__(self, rows: ChoiceRows, scale: float, rng: np.random.Generator) -> None:
        self.sizes, self.share, self.rng = rows.sizes, min(scale / 2, 1.0), rng
        self.taken: NDArray | None = None
        self._renew()

    def act(self, row: NDArray) -> NDArray:
        """What is done where the policy says `row` [A]."""
        if self.rng.random() < 1 - MEMORY:
            self._renew()
        return row if self.taken is None else self.taken

    def _renew(self) -> None:
        self.taken = None
        if self.rng.random() < self.share:
            self.taken = np.concatenate([np.eye(n)[self.rng.integers(n)] for n in self.sizes])


def explorer(rows: ActionRows, noise: float, rng: np.random.Generator) -> Wobble | Flips:
    """The exploration of an episode, of a level between 0 and `noise`; a quarter of them act as
    the policy says."""
    scale = noise * max(0.0, (4 * rng.random() - 1) / 3)
    return Wobble(rows, scale, rng) if isinstance(rows, BoxRows) else Flips(rows, scale, rng)
