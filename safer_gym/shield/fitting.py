"""A part from data: a linear model by least squares, or a given one, and bounds of its errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.shield.box import Box
from safer_gym.shield.filtering import TASK
from safer_gym.shield.function import Call, Function, points_in
from safer_gym.shield.mode import Backup, Mode
from safer_gym.shield.model import Part, domain_of, radius_of, rows_of, step_of

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


def fit_part(
    frame: Frame,
    data: Transitions,
    *,
    margin: float,
    model: Call | None = None,
) -> Part:
    """The part whose bounds hold all errors of the data where h >= 0, and `margin` more.

    Args:
        frame: what the user says.
        data: steps, those under the backups among them.
        margin: share by which each end of each interval is larger than the largest error seen.
        model: the user's own f(z, u); None: a linear one is fitted.

    Raises:
        ValueError: too few steps, a backup that is too weak for these errors, or a function that
            cannot be enclosed.
    """
    inside = (data.z @ frame.facets.mT <= frame.bounds).all(1)
    data = Transitions(*(column[inside] for column in data))
    if len(data.z) < FEWEST:
        raise ValueError(f"a model needs {FEWEST} steps with h >= 0, got {len(data.z)}")
    function = None if model is None else _looked_at(model, frame)
    linear = least_squares(data if function is None else _on_grid(function, frame, None))
    free = bounded(linear, data, margin, function)
    backups = []
    for facet in frame.facets:
        action = backup_action(linear, facet, frame)
        mode = _under(action, free, data, margin, function)
        if function is not None:
            own = least_squares(_on_grid(function, frame, action))
            mode = own._replace(low=mode.low, high=mode.high)
        backups.append(Backup(action, mode))
    radius = radius_of(frame.reach)
    rows, limits = rows_of(frame.facets, frame.bounds, backups, function, radius)
    said = frame._asdict()
    del said["facets"], said["bounds"]
    said |= {"facets": len(frame.facets), "function": function}
    return Part(**said, free=free, backups=_distinct(backups), rows=rows, limits=limits)


def _looked_at(model: Call, frame: Frame) -> Function:
    return Function.of(model, domain_of(frame.facets, frame.bounds), _actions(frame, None))


def _actions(frame: Frame, action: Tensor | None) -> Box:
    low, high = (frame.action_low, frame.action_high) if action is None else (action, action)
    return Box(low[None], high[None])


def _on_grid(function: Function, frame: Frame, action: Tensor | None) -> Transitions:
    """The function where h >= 0, for all actions or for one: what its linear part is fitted to."""
    domain, actions = domain_of(frame.facets, frame.bounds), _actions(frame, action)
    points = points_in(Box(*(torch.cat(ends, 1) for ends in zip(domain, actions, strict=True))))
    z, u = function.parts(points)
    return Transitions(z, u, function.at(points), torch.full((len(z),), TASK))


def least_squares(data: Transitions) -> Mode:
    """The linear model of the data, without bounds."""
    k, m = data.z.shape[1], data.action.shape[1]
    inputs = torch.cat([data.z, data.action, torch.ones(len(data.z), 1).double()], 1)
    found = torch.linalg.lstsq(inputs, data.after, driver="gelsd").solution.mT
    nothing = torch.zeros(k, dtype=torch.float64)
    return Mode(found[:, :k], found[:, k : k + m], found[:, k + m], nothing, nothing)


def residuals(mode: Mode, data: Transitions, function: Function | None = None) -> Tensor:
    """What the model leaves over [N, K]."""
    return data.after - step_of(mode, function, data.z, data.action)


def bounded(mode: Mode, data: Transitions, margin: float, function: Function | None = None) -> Mode:
    """The model with intervals that hold its errors and `margin` more."""
    errors = residuals(mode, data, function)
    low, high = errors.amin(0).clamp(max=0), errors.amax(0).clamp(min=0)
    return mode._replace(low=low * (1 + margin), high=high * (1 + margin))


def leaving(part: Part, data: Transitions) -> Tensor:
    """Which steps leave the bounds of the model of their action [N]; those of safe states count."""
    safe = (data.z @ part.rows.mT <= part.limits).all(1)
    out = _outside(part.free, data, part.function)
    for index, backup in enumerate(part.backups):
        own = _outside(backup.mode, data, part.function)
        out = torch.where(data.backup == index, own, out)
    return out & safe


def backup_action(model: Mode, facet: Tensor, frame: Frame) -> Tensor:
    """The corner of the actions that lowers a facet most over the steps that follow."""
    row, pull = facet, torch.zeros(len(frame.actions), dtype=torch.float64)
    for _ in range(10):
        pull = pull + row @ model.B
        row = row @ model.A
    return torch.where(pull > 0, frame.action_low, frame.action_high)


def _under(
    action: Tensor, free: Mode, data: Transitions, margin: float, function: Function | None
) -> Mode:
    """The model of steps under a backup: with bounds of its own where there are enough."""
    same = ((data.action - action).abs() <= _SAME).all(1)
    if int(same.sum()) < FEWEST:
        return free
    return bounded(free, Transitions(*(column[same] for column in data)), margin, function)


def _distinct(backups: Sequence[Backup]) -> tuple[Backup, ...]:
    kept: list[Backup] = []
    for backup in backups:
        if not any(torch.equal(backup.action, other.action) for other in kept):
            kept.append(backup)
    return tuple(kept)


def _outside(mode: Mode, data: Transitions, function: Function | None) -> Tensor:
    errors = residuals(mode, data, function)
    return ((errors < mode.low - _SAME) | (errors > mode.high + _SAME)).any(1)


__all__ = ["TASK", "Frame", "Transitions", "fit_part", "least_squares", "leaving", "residuals"]
