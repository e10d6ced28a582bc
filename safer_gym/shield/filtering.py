"""Clip an action to what keeps every possible state inside the safe set."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.shield.box import ROUNDED, Box, about
from safer_gym.shield.model import Part

TASK = -1
"""In `Filtered.backup`: the action is no backup."""


class Filtered(NamedTuple):
    """What is sent."""

    action: Tensor
    """[B, M]"""
    backup: Tensor
    """[B] Index of the backup that acts; TASK for an action between the task's and a backup's."""
    moved: Tensor
    """[B] Whether it differs from the task's action."""
    feasible: Tensor
    """[B] Whether it keeps every state of the box that is safe now inside the safe set."""


def shielded(part: Part, box: Box, task: Tensor) -> Filtered:
    """The action nearest to the task's, on the way to a backup, that the model calls safe.

    Args:
        part: the shield.
        box: possible states; those outside the safe set do not count.
        task: the task's actions [B, M].

    Where no mixture is safe for the model of any step, a backup acts whose own model says that it
    is; `prove` shows that one always is. Where none is, that of the smallest excess.
    """
    task = task.double().clamp(part.action_low, part.action_high)
    free, box = part.ahead[0], part.tight(box)
    still = part.limits - free.reach(box)  # [B, R]

    def room(towards: Tensor) -> Tensor:
        over = part.over(box, about(task, towards))
        return still - free.spread(part.free.error(over))

    best, share = task, _share(free.pull, room(task), task, task)
    for backup in part.backups:
        needed = _share(free.pull, room(backup.action), task, backup.action)
        nearer = needed < share
        mixed = task + needed.clamp(max=1).unsqueeze(1) * (backup.action - task)
        best = torch.where(nearer.unsqueeze(1), mixed, best)
        share = torch.where(nearer, needed, share)
    excess = torch.stack([-backup_room(part, box, k).amin(1) for k in range(len(part.backups))], 1)
    least, index = excess.min(1)
    is_task = share <= 1
    fallback = torch.stack([b.action for b in part.backups])[index]
    action = torch.where(is_task.unsqueeze(1), best, fallback)
    chosen = torch.where(is_task, torch.full_like(index, TASK), index)
    return Filtered(action, chosen, (share > 0) | ~is_task, is_task | (least <= 0))


def _share(pull: Tensor, room: Tensor, task: Tensor, backup: Tensor) -> Tensor:
    """The least share s in [0, 1] of the backup with pull (task + s (backup - task)) <= room.

    [B]; infinite where there is none.
    """
    at_task, at_backup = task @ pull.mT, backup @ pull.mT
    over, gain = at_task - room, at_task - at_backup
    slack = ROUNDED * (1 + room.abs())
    needed = torch.where(over > -slack, (over + slack) / gain.clamp(min=1e-12), 0.0).amax(1)
    possible = (at_backup + slack <= room).all(1) | (over <= -slack).all(1)
    return torch.where(possible, needed.clamp(max=1), torch.inf)


def backup_room(part: Part, box: Box, index: int) -> Tensor:
    """What the next states under a backup leave of the limits, at least [B, R]."""
    ahead, (action, mode) = part.ahead[index + 1], part.backups[index]
    error = mode.error(part.over(box, about(action[None], action[None])))
    return part.limits - ahead.reach(box) - ahead.spread(error) - ahead.pull @ action
