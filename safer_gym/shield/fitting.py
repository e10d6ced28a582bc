"""A part from data: a linear model by least squares, and intervals around its errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.shield.filtering import TASK
from safer_gym.shield.mode import Backup, Mode
from safer_gym.shield.model import Part
from safer_gym.shield.safe_set import STEPS, safe_rows

FEWEST = 50
"""Steps under a backup, and in all, that bounds are read from."""
_SAME = 1e-6


class Transitions(NamedTuple):
    """Steps of true states."""

    z: Tensor
    """[N, K]"""
    action: Tensor
    """What was sent [N, M]."""
    after: Tensor
    """[N, K]"""
    backup: Tensor
    """Which backup acted [N]; TASK: none."""


class Frame(NamedTuple):
    """What a user says of a part."""

    names: tuple[str, ...]
    weight: Tensor
    offset: Tensor
    reach: Tensor
    actions: tuple[int, ...]
    action_low: Tensor
    action_high: Tensor
    facets: Tensor
    """h as rows g z <= b [F, K]."""
    bounds: Tensor
    """[F]"""


def fit_part(frame: Frame, data: Transitions, *, margin: float, steps: int = STEPS) -> Part:
    """The part whose bounds hold all errors of the data where h >= 0, and `margin` more.

    Args:
        frame: what the user says.
        data: steps, those under the backups among them.
        margin: share by which each end of each interval is larger than the largest error seen.
        steps: most rows of a facet.

    Raises:
        ValueError: too few steps, or a backup that is too weak for these errors.
    """
    inside = (data.z @ frame.facets.mT <= frame.bounds).all(1)
    data = Transitions(*(column[inside] for column in data))
    if len(data.z) < FEWEST:
        raise ValueError(f"a model needs {FEWEST} steps with h >= 0, got {len(data.z)}")
    model = least_squares(data)
    free = bounded(model, data, margin)
    actions = [backup_action(model, g, frame) for g in frame.facets]
    backups = [Backup(u, _under(u, model, free, data, margin)) for u in actions]
    rows, limits = safe_rows(frame.facets, frame.bounds, backups, steps=steps)
    own = frame._asdict()
    del own["facets"], own["bounds"]
    kept = _distinct(backups)
    return Part(**own, free=free, backups=kept, rows=rows, limits=limits, facets=len(frame.facets))


def least_squares(data: Transitions) -> Mode:
    """The linear model of the data, without bounds."""
    k, m = data.z.shape[1], data.action.shape[1]
    inputs = torch.cat([data.z, data.action, torch.ones(len(data.z), 1).double()], 1)
    found = torch.linalg.lstsq(inputs, data.after, driver="gelsd").solution.mT
    nothing = torch.zeros(k, dtype=torch.float64)
    return Mode(found[:, :k], found[:, k : k + m], found[:, k + m], nothing, nothing)


def residuals(mode: Mode, data: Transitions) -> Tensor:
    """What the model leaves over [N, K]."""
    return data.after - data.z @ mode.A.mT - data.action @ mode.B.mT - mode.c


def bounded(mode: Mode, data: Transitions, margin: float) -> Mode:
    """The model with intervals that hold its errors and `margin` more."""
    errors = residuals(mode, data)
    low, high = errors.amin(0).clamp(max=0), errors.amax(0).clamp(min=0)
    return mode._replace(low=low * (1 + margin), high=high * (1 + margin))


def leaving(part: Part, data: Transitions) -> Tensor:
    """Which steps leave the bounds of the model of their action [N]; those of safe states count."""
    safe = (data.z @ part.rows.mT <= part.limits).all(1)
    out = _outside(part.free, data)
    for index, backup in enumerate(part.backups):
        out = torch.where(data.backup == index, _outside(backup.mode, data), out)
    return out & safe


def backup_action(model: Mode, facet: Tensor, frame: Frame) -> Tensor:
    """The corner of the actions that lowers a facet most over the steps that follow."""
    row, pull = facet, torch.zeros(len(frame.actions), dtype=torch.float64)
    for _ in range(10):
        pull = pull + row @ model.B
        row = row @ model.A
    return torch.where(pull > 0, frame.action_low, frame.action_high)


def _under(action: Tensor, model: Mode, free: Mode, data: Transitions, margin: float) -> Mode:
    """The model of steps under a backup: with bounds of its own where there are enough."""
    same = ((data.action - action).abs() <= _SAME).all(1)
    if int(same.sum()) < FEWEST:
        return free
    return bounded(model, Transitions(*(column[same] for column in data)), margin)


def _distinct(backups: Sequence[Backup]) -> tuple[Backup, ...]:
    kept: list[Backup] = []
    for backup in backups:
        if not any(torch.equal(backup.action, other.action) for other in kept):
            kept.append(backup)
    return tuple(kept)


def _outside(mode: Mode, data: Transitions) -> Tensor:
    errors = residuals(mode, data)
    return ((errors < mode.low - _SAME) | (errors > mode.high + _SAME)).any(1)


__all__ = ["TASK", "Frame", "Transitions", "fit_part", "least_squares", "leaving", "residuals"]
