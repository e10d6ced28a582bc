"""Recursive feasibility, proved for every box of possible states.

Claim: whenever the state is safe and lies in a box no wider than what an adversary can make of one
observation, some backup brings every safe state of that box into the safe set again. The domain
is cut into cells; in a cell one backup must do for all boxes whose middles lie there. The bound of
what is reachable is the filter's own, so that the filter finds that backup at run time. Sums are
rounded outward. A cell that stays open refutes nothing, but proves nothing either: it is reported.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.shield.box import UP, Box, Support
from safer_gym.shield.filtering import backup_room
from safer_gym.shield.hull import hull_of
from safer_gym.shield.model import Part

CELLS = 20_000
"""Most cells that are looked at."""
CHUNK = 256


class Proof(NamedTuple):
    """What was proved."""

    holds: bool
    cells: int
    """Cells that were looked at."""
    reason: str = ""
    """Why it does not hold; "" where it does."""
    margin: float = 0.0
    """The least room that was left."""


def prove(part: Part, *, smallest: float = 0.02, cells: int = CELLS) -> Proof:
    """Whether the shield can always go on.

    Args:
        part: the shield.
        smallest: cells are cut until their widths are this share of the reach.
        cells: give up after so many.
    """
    domain = _domain(part)
    if isinstance(domain, str):
        return Proof(False, 0, domain)
    open_cells, looked, margin = domain, 0, float("inf")
    least = part.reach.clamp(min=1e-6) * smallest
    while len(open_cells.low):
        now = Box(*(end[-CHUNK:] for end in open_cells))  # the newest: depth first
        rest = Box(*(end[:-CHUNK] for end in open_cells))
        looked += len(now.low)
        room = _room(part, now)
        margin = min([margin, *room[room >= 0].tolist()])
        failed = Box(*(end[room < 0] for end in now))
        too_small = ((failed.high - failed.low) <= least).all(1)
        if bool(too_small.any()) or looked > cells:
            at = failed.middle[int(too_small.double().argmax())].tolist()
            words = ", ".join(f"{n} = {v:.4g}" for n, v in zip(part.names, at, strict=True))
            return Proof(False, looked, f"no backup is shown to hold every state near {words}")
        halves = _halved(failed, least)
        open_cells = Box(*(torch.cat(pair) for pair in zip(rest, halves, strict=True)))
    return Proof(True, looked, "", margin)


def _room(part: Part, cells: Box) -> Tensor:
    """The room [B] that the best backup leaves in each cell; infinite where no safe state is."""
    wide = Box(cells.low - part.radius * UP, cells.high + part.radius * UP)
    slack = 1e-9 * (1 + part.limits.abs())
    tight = part.tight(wide)
    rooms = [backup_room(part, tight, k) - slack for k in range(len(part.backups))]
    room = torch.stack([room.amin(1) for room in rooms], 1).amax(1)
    empty = (-Support(-part.rows)(wide) > part.limits).any(1)
    return torch.where(empty, torch.inf, room)


def _domain(part: Part) -> Box | str:
    """A box of the middles of all boxes that hold a safe state, or why there is none."""
    hull = hull_of(part.rows, part.limits)
    if isinstance(hull, str):
        return f"the safe set is {hull}"
    return Box(hull.low - part.radius, hull.high + part.radius)


def _halved(cells: Box, least: Tensor) -> Box:
    """Each cell cut in two along its widest side, in units of `least`."""
    widths = (cells.high - cells.low) / least
    side = torch.nn.functional.one_hot(widths.argmax(1), widths.shape[1]).bool()
    middle = cells.middle
    left = Box(cells.low, torch.where(side, middle, cells.high))
    right = Box(torch.where(side, middle, cells.low), cells.high)
    return Box(*(torch.cat(pair) for pair in zip(left, right, strict=True)))
