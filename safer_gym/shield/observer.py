"""The interval observer: the box of states that fit the model and all that was shown."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.shield.box import ROUNDED, Box, about
from safer_gym.shield.filtering import Filtered
from safer_gym.shield.model import Part


class Seen(NamedTuple):
    """What is known at a step."""

    box: Box
    """Where the state may be."""
    alarm: Tensor
    """[B] Nothing fits: the model is wrong, or somebody moves more than eps. The box is then that
    of what is shown alone, and nothing is guaranteed."""


def observe(part: Part, obs: Tensor, prior: Box) -> Seen:
    """Intersect the prediction [B, K] with the box around what is shown, obs [B, *O]."""
    middle = part.coordinates(obs)
    shown = Box(middle - part.radius, middle + part.radius)
    both = shown.meet(prior)
    alarm = (both.low > both.high).any(1)
    known = alarm.unsqueeze(1)
    box = Box(torch.where(known, shown.low, both.low), torch.where(known, shown.high, both.high))
    return Seen(box, alarm)


def predicted(part: Part, box: Box, answer: Filtered) -> Box:
    """The box of the next states [B, K], by the model of the action that was sent."""
    modes = (part.free, *(backup.mode for backup in part.backups))
    sent = [answer.action, *(backup.action for backup in part.backups)]
    over = part.over(box, about(answer.action, answer.action))
    low, high = box
    for index, (mode, ahead, action) in enumerate(zip(modes, part.ahead, sent, strict=True)):
        chosen = (answer.backup == index - 1).unsqueeze(1)
        shift = action @ mode.B.mT + mode.c
        error = mode.error(over)
        high = torch.where(chosen, ahead.high(box) + shift + error.high, high)
        low = torch.where(chosen, -ahead.low(box) + shift + error.low, low)
    slack = ROUNDED * (1 + torch.maximum(low.abs(), high.abs()))
    return Box(low - slack, high + slack)
