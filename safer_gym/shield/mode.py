"""Linear models with intervals around their errors, and backups."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Mode(NamedTuple):
    """z' in A z + B u + c + [low, high]."""

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


class Backup(NamedTuple):
    """An action that is always at hand, and what is known of steps under it."""

    action: Tensor
    """[M]"""
    mode: Mode
