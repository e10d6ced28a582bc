"""How far the safe states of a box reach along some rows."""

from __future__ import annotations

import torch
from torch import Tensor

from safer_gym.shield.box import ROUNDING, Box, Support

NEAREST = 8
"""Rows of the safe set that are tried for each wanted row: those of the most alike direction. Any
choice is a bound."""


class SafeSupport:
    """An upper bound [B, R] of wanted [R, K] times z over the safe states z of boxes [B, K].

    By weak duality with one row of the safe set: for every l >= 0, r z <= l q_j + (r - l g_j) z,
    and the last is largest at a corner of the box. Convex in l, and so least at one of the K
    multipliers at which the corner changes. Exact where one row matters. Rounded outward, and
    monotone: a smaller box has no larger bound.

    Args:
        wanted: rows to bound.
        rows, limits: the safe set, rows z <= limits [J, K], [J].
    """

    def __init__(self, wanted: Tensor, rows: Tensor, limits: Tensor) -> None:
        ratio = wanted[:, None, :] / rows[None, :, :]
        usable = torch.isfinite(ratio) & (ratio > 0) & _nearest(wanted, rows).unsqueeze(2)
        self._wanted = Support(wanted)
        self.owner, index, _ = usable.nonzero().T
        lengths = ratio[usable].unsqueeze(1)
        self._corners = Support(wanted[self.owner] - lengths * rows[index])
        self.values = lengths.squeeze(1) * limits[index]
        self.values = self.values + 2 * ROUNDING * self.values.abs()

    def __call__(self, box: Box) -> Tensor:
        """The bounds [B, R]."""
        plain = self._wanted(box)
        with_rows = self._corners(box) + self.values
        owner = self.owner.expand(len(plain), -1)
        return plain.scatter_reduce(1, owner, with_rows, "amin")


def _nearest(wanted: Tensor, rows: Tensor) -> Tensor:
    """Which rows [R, J] are most like each wanted one, by the angle between them."""
    unit = torch.nn.functional.normalize
    alike = unit(wanted, dim=1) @ unit(rows, dim=1).mT
    best = alike.topk(min(NEAREST, len(rows)), dim=1).indices
    return torch.zeros_like(alike).scatter(1, best, 1.0) > 0
