"""Models with intervals around their errors, and backups."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from safer_gym.shield.box import Box
from safer_gym.shield.function import Enclosed


class Mode(NamedTuple):
    """z' in A z + B u + c + [low, high], and of a function f: z' in f(z, u) + [low, high].

    Of a function A z + B u + c is a linear part, from which it may differ: see `error`.
    """

    A: Tensor
    """[K, K]"""
    B: Tensor
    """[K, M]"""
    c: Tensor
    """[K]"""
    low: Tensor
    """[K]"""
    high: Tensor
    """[K]"""

    def most(self, rows: Tensor) -> Tensor:
        """max of rows [R, K] times the error, as [R]."""
        return rows.clamp(min=0) @ self.high + rows.clamp(max=0) @ self.low

    def wider(self, by: Tensor) -> Mode:
        """The mode with an error larger by [K] on both sides."""
        return self._replace(low=self.low - by, high=self.high + by)

    def error(self, over: Enclosed | None) -> Box:
        """What is added to the linear part, [1, K], or [B, K] where a function is enclosed."""
        if over is None:
            return Box(self.low[None], self.high[None])
        low, high = over.beyond(self.A, self.B, self.c)
        return Box(low + self.low, high + self.high)


class Backup(NamedTuple):
    """An action that is always at hand, and what is known of steps under it."""

    action: Tensor
    """[M]"""
    mode: Mode
