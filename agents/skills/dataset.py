"""Batches of safe and unsafe steps with their windows, as training of a prior wants them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from safer_gym.agents.data.offline import OfflineData
from safer_gym.agents.skills.checkpoint import digest
from safer_gym.agents.skills.prior import SkillPrior
from safer_gym.choices import choose
from safer_gym.types import Gaussian

LABELS = ("every", "onset", "recovery")


class Steps(NamedTuple):
    """B steps, and where the window of each lies."""

    rows: Tensor
    """[B]"""
    window: Tensor
    """Rows of the last W observations, the oldest first [B, W]."""
    length: Tensor
    """How many of them belong to the episode [B]."""


class SkillData:
    """Offline data as tensors, with the rows that count as safe and as unsafe.

    Safe is a step without cost in an episode that succeeds; unsafe is one with cost, in any.

    Args:
        data: actions in [-1, 1].
        window: observations W.
        labels: which steps with cost are unsafe: "every" one (the paper's), or the "onset", the
            first after a step without; the others are neither. "recovery" (ours) is the onset, too,
            and the others are safe in an episode that succeeds: they lead out of the cost.
        source: how messages call the data.

    Raises:
        ValueError: no safe steps, or actions outside of [-1, 1].
    """

    def __init__(
        self, data: OfflineData, window: int, labels: str = "every", source: str = "the data"
    ) -> None:
        choose("labels", labels, LABELS)
        most = np.abs(data.actions).max(axis=1)
        row = int(most.argmax())
        if most[row] > 1 + 1e-5:
            raise ValueError(
                f"{source}: actions must lie in [-1, 1]; row {row} has one of {most[row]:g}"
            )
        costly = data.costs > 0
        first = data.first
        goes_on = costly & np.concatenate([[False], costly[:-1]])
        goes_on &= np.arange(len(costly)) > first
        unsafe = costly if labels == "every" else costly & ~goes_on
        safe = ~costly | goes_on if labels == "recovery" else ~costly
        self.window = window
        self.observations = torch.as_tensor(data.observations)
        self.actions = torch.as_tensor(data.actions)
        self._first = torch.as_tensor(first)
        self.safe = torch.as_tensor(np.flatnonzero(safe & data.success))
        self.unsafe = torch.as_tensor(np.flatnonzero(unsafe))
        if not len(self.safe):
            raise ValueError(f"{source} has no step without cost in an episode that succeeds")

    @property
    def digest(self) -> str:
        """Of all that a training sees of the data."""
        return digest(self.observations, self.actions, self._first, self.safe, self.unsafe)

    def steps(self, rows: Tensor) -> Steps:
        """Rows [B] with their windows."""
        back = torch.arange(self.window - 1, -1, -1)
        first = self._first[rows]
        window = torch.maximum(rows[:, None] - back, first[:, None])
        return Steps(rows, window, (rows - first + 1).clamp(max=self.window))

    def context(self, prior: SkillPrior, steps: Steps) -> tuple[Tensor, Gaussian | None]:
        """Features of the steps [B, F], and q(c | window); None without a safety variable."""
        if prior.safety is None:
            return prior.features(self.observations[steps.rows].float()), None
        seen = self.observations[steps.window].float()
        window = prior.features(seen.flatten(0, 1)).unflatten(0, seen.shape[:2])
        return window[:, -1], prior.posterior(window, steps.length)

    def draw(self, rows: Tensor, count: int, generator: torch.Generator) -> Steps:
        """`count` of the rows, with replacement."""
        return self.steps(rows[torch.randint(len(rows), (count,), generator=generator)])
