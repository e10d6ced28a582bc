"""The states from which a backup keeps h >= 0 by a function's model: rows of a polytope.

As in `safe_set` each row gives that of the step before. Only states that may break the row count:
there its value is bounded by a plane of its own, in boxes as wide as an adversary makes them and
by the bound that `prove` and the filter use. `prove` checks what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.shield.box import Box, Support
from safer_gym.shield.function import Enclosed, Function, cells_of
from safer_gym.shield.mode import Backup, Mode
from safer_gym.shield.safe_set import SPARE, STEPS, TIGHTER, implied
from safer_gym.shield.span import Span, linear


class _Known(NamedTuple):
    """What is known of a backup in each of C cells."""

    mode: Mode
    over: Enclosed
    """In the cells, and as far around them as the adversary reaches."""


def curved_rows(
    facets: Tensor,
    bounds: Tensor,
    backups: Sequence[Backup],
    function: Function,
    domain: Box,
    radius: Tensor,
) -> tuple[Tensor, Tensor]:
    """Rows [R, K] and limits [R] of the safe set; the facets themselves come first.

    Args:
        facets, bounds: h as rows g z <= b [F, K], [F].
        backups: the one that keeps each facet [F].
        function: the model.
        domain: a box [1, K] around h.
        radius: half-widths of the boxes of possible states [K].

    Raises:
        ValueError: a backup under which its facet's rows have no end.
    """
    rows, limits, cells = [*facets], [*bounds], cells_of(domain)
    wide = Box(cells.low - radius, cells.high + radius)
    for facet, bound, (action, mode) in zip(facets, bounds, backups, strict=True):
        known = _Known(mode, function.over(wide, Box(action[None], action[None])))
        row, limit, spare = facet, bound, SPARE
        for _ in range(STEPS):
            inside = (-Support(-torch.stack(rows))(wide) <= torch.stack(limits)).all(1)
            before = _before(row, limit, known, inside)
            if before is None:
                break
            row, limit = before
            if implied(row, limit, rows, limits):
                spare -= 1
                if spare < 0:
                    break
            rows.append(row)
            limits.append(limit)
        else:
            raise ValueError(
                f"the backup {action.tolist()} does not keep the facet {facet.tolist()} within "
                f"{STEPS} steps: it is too weak for the model and its errors"
            )
    return torch.stack(rows), torch.stack(limits)


def _before(
    row: Tensor, limit: Tensor, known: _Known, inside: Tensor
) -> tuple[Tensor, Tensor] | None:
    """The row of the state one step earlier; None where no state inside breaks it."""
    mode, over = known
    k, error = len(row), mode.most(row[None])[0]
    value = over.at.high @ row.clamp(min=0) + over.at.low @ row.clamp(max=0)
    rate = linear(over.slope, row[:, None]).map(lambda end: end[:k, :, 0])
    danger = inside & (value + _spread(rate, over) + error > limit)
    if not bool(danger.any()):
        return None
    own, z = row @ mode.A, over.middle[:, :k]
    plane, shift = _plane(z[danger], (value - z @ own)[danger])
    turned = rate.plus(Span.point(-own[:, None].expand_as(rate.low)))
    lost = _spread(turned, over) + over.half[:, :k] @ plane.abs()
    above = (value - z @ (own + plane) - shift + lost)[danger].max()
    return own + plane, limit - shift - above - error - TIGHTER * (1 + limit.abs())


def _plane(z: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """The flattest of the planes nearest to values [C] at z [C, K]: slopes and height."""
    centre, height = z.mean(0), values.mean()
    around = (values - height).unsqueeze(1)
    slope = torch.linalg.lstsq(z - centre, around, rcond=1e-6, driver="gelsd").solution[:, 0]
    return slope, height - slope @ centre


def _spread(rate: Span, over: Enclosed) -> Tensor:
    """How far each cell's value may lie from that of its middle [C]."""
    return (rate.size().high * over.half[:, : len(rate.low)].mT).sum(0)
