"""What a shield is made of: coordinates, a model with bounds, backups, and a safe set.

A part is independent of the others: coordinates of its own, and actions of its own. What other
actions do to its coordinates is in the bounds of its model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from safer_gym.shield.ahead import Ahead
from safer_gym.shield.box import Box
from safer_gym.shield.curved_set import curved_rows
from safer_gym.shield.function import Call, Enclosed, Function, cells_of
from safer_gym.shield.hull import hull_of
from safer_gym.shield.mode import Backup, Mode
from safer_gym.shield.safe_set import safe_rows
from safer_gym.shield.safe_support import SafeSupport

MOST_COORDINATES, MOST_ROWS, MOST_BACKUPS = 8, 1000, 16
"""Of a part: one may come from a stranger's file."""


@dataclass(frozen=True, eq=False)
class Part:
    """Some coordinates, the actions that move them, and the set in which they stay.

    Args:
        names: of the coordinates.
        weight, offset: z = weight obs + offset [K, O], [K].
        reach: half-widths of the box of z that an adversary can make of one observation [K].
        actions: which entries of the action are this part's [M].
        action_low, action_high: their ends [M].
        free: the model of any step.
        backups: actions that are always at hand.
        rows, limits: the safe set, rows z <= limits [R, K], [R]. The first `facets` of them are h.
        facets: how many of the rows are the user's.
        function: the model where it is not linear; modes then hold linear parts of it, and their
            intervals are its errors.
    """

    names: tuple[str, ...]
    weight: Tensor
    offset: Tensor
    reach: Tensor
    actions: tuple[int, ...]
    action_low: Tensor
    action_high: Tensor
    free: Mode
    backups: tuple[Backup, ...]
    rows: Tensor
    limits: Tensor
    facets: int
    function: Function | None = None

    def __post_init__(self) -> None:
        k, m = len(self.names), len(self.actions)
        if len({*self.names}) < k or len({*self.actions}) < m or min(self.actions, default=0) < 0:
            raise ValueError(
                "a part's coordinates and actions must be distinct, and actions counted from 0; "
                f"got {self.names} and {self.actions}"
            )
        for name, size in (("offset", k), ("reach", k), ("action_low", m), ("action_high", m)):
            _sized(name, getattr(self, name), (size,))
        _sized("weight", self.weight, (k, self.weight.shape[-1]))
        _sized("rows", self.rows, (len(self.limits), k))
        for mode in (self.free, *(backup.mode for backup in self.backups)):
            for name, shape in zip(Mode._fields, ((k, k), (k, m), (k,), (k,), (k,)), strict=True):
                _sized(name, getattr(mode, name), shape)
            if bool((mode.low > mode.high).any()):
                raise ValueError("low must not exceed high in a mode's bounds")
        for backup in self.backups:
            _sized("a backup's action", backup.action, (m,))
        if k > MOST_COORDINATES or len(self.limits) > MOST_ROWS or len(self.backups) > MOST_BACKUPS:
            raise ValueError(
                f"a part has at most {MOST_COORDINATES} coordinates, {MOST_ROWS} rows and "
                f"{MOST_BACKUPS} backups"
            )
        if self.function is not None:
            p = len(self.function.points)
            _sized("a function's points", self.function.points, (p, k + m))
            _sized("a function's values", self.function.values, (p, k))
        if not self.backups or not 0 < self.facets <= len(self.limits):
            raise ValueError("a part needs at least one backup and one facet of h")

    @cached_property
    def ahead(self) -> tuple[Ahead, ...]:
        """The safe set one step ahead: of any step, then of a step under each backup."""
        return tuple(Ahead.of(self.rows, self.limits, mode) for mode in self.modes)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Of any step, then of a step under each backup."""
        return (self.free, *(backup.mode for backup in self.backups))

    def over(self, box: Box, actions: Box) -> Enclosed | None:
        """The function over boxes of states and of actions; None where the model is linear."""
        return None if self.function is None else self.function.over(box, actions)

    def step(self, z: Tensor, action: Tensor) -> Tensor:
        """The next states [B, K] by the model of any step, without an error."""
        return step_of(self.free, self.function, z, action)

    @cached_property
    def _ends(self) -> SafeSupport:
        eye = torch.eye(len(self.names), dtype=torch.float64)
        return SafeSupport(torch.cat([eye, -eye]), self.rows, self.limits)

    def tight(self, box: Box) -> Box:
        """A box of the safe states of a box [B, K]; the box itself where it seems to hold none."""
        high, low = self._ends(box).chunk(2, 1)
        empty = (-low > high).any(1, keepdim=True)
        return Box(torch.where(empty, box.low, -low), torch.where(empty, box.high, high))

    @property
    def radius(self) -> Tensor:
        """The reach [K], with room for what float32 rounds of an observation."""
        return radius_of(self.reach)

    def coordinates(self, obs: Tensor) -> Tensor:
        """z [B, K] of observations [B, *O]."""
        return obs.double().flatten(1) @ self.weight.mT + self.offset

    def h(self, z: Tensor) -> Tensor:
        """The least distance to a facet of h [B], in units of the facets: safe where >= 0."""
        return (self.limits[: self.facets] - z @ self.rows[: self.facets].mT).amin(1)

    def nowhere(self, n: int) -> Box:
        """Before the first observation a state may be anywhere [n, K]."""
        ends = torch.full((n, len(self.names)), math.inf, dtype=torch.float64)
        return Box(-ends, ends)

    def widened(self, *, action: Any = 0.0, state: Any = 0.0) -> Part:
        """The part for an adversary behind the policy.

        Args:
            action: how far it moves each of the part's actions [M].
            state: how far it moves the next state [K], of disturbances.
        """
        moved, more = _like(action, self.action_low), _like(state, self.offset)
        wider = [mode.wider(self._pull(mode, moved) @ moved + more) for mode in self.modes]
        pairs = zip(self.backups, wider[1:], strict=True)
        backups = tuple(backup._replace(mode=mode) for backup, mode in pairs)
        return replace(self, free=wider[0], backups=backups).with_rows()

    def _pull(self, mode: Mode, moved: Tensor) -> Tensor:
        """How far actions near those of the part move the next state at most [K, M]."""
        if self.function is None:
            return mode.B.abs()
        actions = Box((self.action_low - moved)[None], (self.action_high + moved)[None])
        rates = self.function.over(cells_of(self._domain()), actions).slope.size().high
        return rates[len(self.names) :].amax(1).mT

    def _domain(self) -> Box:
        return domain_of(self.rows[: self.facets], self.limits[: self.facets])

    def with_rows(self) -> Part:
        """The part with the safe set that follows from its backups anew.

        Raises:
            ValueError: a backup that is too weak for the errors of the model.
        """
        facets, bounds = self.rows[: self.facets], self.limits[: self.facets]
        own = [self.backups[self._keeper(facet)] for facet in facets]
        rows, limits = rows_of(facets, bounds, own, self.function, self.radius)
        return replace(self, rows=rows, limits=limits)

    def _keeper(self, facet: Tensor) -> int:
        """Which backup lowers a facet most over ten steps."""
        pushes = []
        for backup in self.backups:
            row, push = facet, 0.0
            for _ in range(10):
                push += float(row @ (backup.mode.B @ backup.action))
                row = row @ backup.mode.A
            pushes.append(push)
        return pushes.index(min(pushes))

    def to_json(self) -> dict[str, Any]:
        """Lists and numbers; of a function its name and some values."""
        told = {} if self.function is None else {"function": self.function.to_json()}
        return {name: _plain(getattr(self, name)) for name in FIELDS} | told

    @classmethod
    def from_json(cls, data: Mapping[str, Any], model: Call | None = None) -> Part:
        """Undo `to_json`.

        Args:
            data: not trusted.
            model: the function that is named there; None leaves it at the name.

        Raises:
            ValueError: keys or shapes that do not fit, numbers that are not finite, a function that
                is not the one that is named.
        """
        if set(data) - {"function"} != set(FIELDS):
            raise ValueError(f"a part must have the keys {FIELDS}, got {sorted(data)}")
        tensors = ("weight", "offset", "reach", "action_low", "action_high", "rows", "limits")
        found: dict[str, Any] = {name: _tensor(name, data[name]) for name in tensors}
        return cls(
            names=tuple(str(name) for name in data["names"]),
            actions=tuple(int(action) for action in data["actions"]),
            free=_mode(data["free"]),
            backups=tuple(
                Backup(_tensor("action", backup["action"]), _mode(backup["mode"]))
                for backup in data["backups"]
            ),
            facets=int(data["facets"]),
            function=_function(data.get("function"), model),
            **found,
        )


FIELDS = tuple(field.name for field in fields(Part) if field.name != "function")


def step_of(mode: Mode, function: Function | None, z: Tensor, action: Tensor) -> Tensor:
    """The next states [B, K] without an error."""
    if function is not None:
        return function(z, action)
    return z @ mode.A.mT + action @ mode.B.mT + mode.c


def radius_of(reach: Tensor) -> Tensor:
    """Half-widths [K] of the box around what is shown."""
    return reach * (1 + 1e-5) + 1e-6


def domain_of(facets: Tensor, bounds: Tensor) -> Box:
    """The box [1, K] around h, in which a function is looked at.

    Raises:
        ValueError: there is none.
    """
    hull = hull_of(facets, bounds)
    if isinstance(hull, str):
        raise ValueError(f"h must bound every coordinate of a function's model; its set is {hull}")
    return hull


def rows_of(
    facets: Tensor,
    bounds: Tensor,
    backups: Sequence[Backup],
    function: Function | None,
    radius: Tensor,
) -> tuple[Tensor, Tensor]:
    """Rows and limits of the safe set, of either kind of model.

    Raises:
        ValueError: a backup that is too weak, or an h without a box around it.
    """
    if function is None:
        return safe_rows(facets, bounds, backups)
    rows, limits = curved_rows(facets, bounds, backups, function, domain_of(facets, bounds), radius)
    if hull_of(rows, limits) == "empty":
        raise ValueError("the safe set is empty: the backups are too weak for the model's errors")
    return rows, limits


def _function(data: Mapping[str, Any] | None, model: Call | None) -> Function | None:
    if data is None:
        if model is not None:
            raise ValueError("model must be None: the shield's model is linear")
        return None
    if set(data) != {"name", "points", "values"}:
        raise ValueError(f"a function must have a name, points and values, got {sorted(data)}")
    points, values = _tensor("points", data["points"]), _tensor("values", data["values"])
    found = Function(None, str(data["name"]), points, values)
    return found if model is None else found.given(model)


def _mode(data: Mapping[str, Any]) -> Mode:
    return Mode(*(_tensor(name, data[name]) for name in Mode._fields))


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.tolist()
    if hasattr(value, "_asdict"):
        return {key: _plain(item) for key, item in value._asdict().items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _tensor(name: str, value: Any) -> Tensor:
    try:
        tensor = torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} must be an array of numbers, got {value!r:.80}") from None
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name} must hold finite numbers")
    return tensor


def _like(value: Any, like: Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64).expand(like.shape)


def _sized(name: str, value: Tensor, shape: tuple[int, ...]) -> None:
    if value.shape != torch.Size(shape):
        raise ValueError(f"{name} must have shape {shape}, got {tuple(value.shape)}")
    if not bool(torch.isfinite(value).all()):
        raise ValueError(f"{name} must hold finite numbers")
