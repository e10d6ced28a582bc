"""A shield: independent parts, and what was said of the adversary when it was built."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import torch
from torch import Tensor

from safer_gym.balls import NORMS
from safer_gym.choices import choose
from safer_gym.domains import NOT_NEGATIVE, require
from safer_gym.shield import Part, Proof, observe, predicted, prove, shielded
from safer_gym.shield.box import Box
from safer_gym.shield.function import Call, NoFunctionError
from safer_gym.wrappers.named import load_named

Models = Call | Sequence[Call | None] | None
"""The user's own model f(z, u) of a shield's one part, or one, or None, of each part."""
FORMAT, WITHOUT_PUSHES = "safer-gym/shield/2", "safer-gym/shield/1"
"""Of files. The first format counted disturbances in coordinates, and held no pushes."""
FAR = 1e6
"""Stands for infinity in a memory, which holds finite numbers."""


class Step(NamedTuple):
    """One step of a shield. Axes: B batch, P parts."""

    action: Tensor
    """What is sent [B, A]."""
    prior: Tensor
    """Where the next state may be, low and high of each part [B, 2 K]."""
    backup: Tensor
    """Which backup of each part acts; -1: none [B, P]."""
    moved: Tensor
    """Whether the action differs from the task's [B]."""
    alarm: Tensor
    """Whether no state fits the model and what was shown [B]."""
    feasible: Tensor
    """Whether every safe state that fits stays safe [B]."""
    box: tuple[Box, ...]
    """Where the state may be, by part."""


@dataclass(frozen=True, eq=False)
class Shield:
    """What `ShieldedPolicy` and `ShieldedEnv` filter with.

    Args:
        parts: with coordinates and actions of their own.
        eps, norm: the ball of observations that it was built for; `Part.reach` follows from it.
        action_eps, disturbance: radii of adversaries behind the policy that its models allow for.
        pushes: how far a disturbance of radius 1 moves coordinates in a step at most, by name.

    `Shield.fit` makes one from data, `Shield.load` reads one.

    Raises:
        ValueError: parts that share actions, a radius that is negative or not finite, a disturbance
            without pushes, or a model whose errors are too small for moved actions or disturbances.
    """

    parts: tuple[Part, ...]
    eps: float
    norm: str = "linf"
    action_eps: float = 0.0
    disturbance: float = 0.0
    pushes: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        taken = [action for part in self.parts for action in part.actions]
        if not self.parts or len(set(taken)) < len(taken):
            raise ValueError("parts must be at least one, with actions of their own each")
        self._check_radii()
        for part in self.parts:
            self._check_room(part)

    def _check_radii(self) -> None:
        """Refuse a norm or numbers that are none."""
        choose("norm", self.norm, NORMS)
        radii = {"eps": self.eps, "action_eps": self.action_eps, "disturbance": self.disturbance}
        require(NOT_NEGATIVE, **radii, **{f"pushes[{n!r}]": v for n, v in self.pushes.items()})
        known = [name for part in self.parts for name in part.names]
        for name in self.pushes:
            choose("a coordinate of pushes", name, known)
        if self.disturbance > 0 and not self.pushes:
            raise ValueError(
                "pushes must say how far a disturbance of radius 1 moves coordinates; got none"
            )

    def _check_room(self, part: Part) -> None:
        """Refuse a model that cannot hold: one state and action lead to too many next states."""
        least = 2 * self._pushed(part)
        if part.function is None:  # else B is that of a linear part, and f may move less
            half = (part.action_high - part.action_low) / 2
            least = least + 2 * part.free.B.abs() @ half.clamp(max=self.action_eps)
        short = part.free.high - part.free.low < least * (1 - 1e-9) - 1e-12
        if bool(short.any()):
            raise ValueError(
                f"the model's error of {part.names[int(short.long().argmax())]} is too small for "
                f"actions moved by {self.action_eps:g} and disturbances of {self.disturbance:g}"
            )

    def _pushed(self, part: Part) -> Tensor:
        """How far disturbances move the part's coordinates in a step [K]."""
        pushes = [self.disturbance * self.pushes.get(name, 0.0) for name in part.names]
        return torch.tensor(pushes, dtype=torch.float64)

    @property
    def size(self) -> int:
        """Numbers of a memory."""
        return sum(2 * len(part.names) for part in self.parts)

    def begin(self, n: int) -> Tensor:
        """What is known before the first observation [n, size]."""
        return torch.cat([_flat(part.nowhere(n)) for part in self.parts], 1)

    @torch.no_grad()
    def step(self, obs: Tensor, task: Tensor, prior: Tensor) -> Step:
        """Filter the task's actions [B, A] at observations [B, *O], given `prior` [B, size]."""
        action = task.double().clone()
        after, backups, boxes = [], [], []
        moved = torch.zeros(len(obs), dtype=torch.bool)
        alarm, feasible = moved.clone(), ~moved
        sizes = [2 * len(part.names) for part in self.parts]
        for part, known in zip(self.parts, prior.double().split(sizes, 1), strict=True):
            own = list(part.actions)
            seen = observe(part, obs, _box(known))
            answer = shielded(part, seen.box, task[:, own])
            action[:, own] = answer.action
            after.append(_flat(predicted(part, seen.box, answer)))
            backups.append(answer.backup)
            boxes.append(seen.box)
            moved, alarm = moved | answer.moved, alarm | seen.alarm
            feasible = feasible & answer.feasible
        return Step(
            action,
            torch.cat(after, 1),
            torch.stack(backups, 1),
            moved,
            alarm,
            feasible,
            tuple(boxes),
        )

    def h(self, obs: Tensor) -> Tensor:
        """The constraint function at true observations [B, *O]: safe where >= 0, as [B]."""
        return torch.stack([part.h(part.coordinates(obs)) for part in self.parts]).amin(0)

    def holds(self, obs: Tensor) -> Tensor:
        """Whether true observations [B, *O] lie in the safe set [B]."""
        inside = [
            (part.coordinates(obs) @ part.rows.mT <= part.limits + 1e-9).all(1)
            for part in self.parts
        ]
        return torch.stack(inside).all(0)

    def prove(self) -> tuple[Proof, ...]:
        """Recursive feasibility of each part, see `safer_gym.shield.prove`."""
        return tuple(prove(part) for part in self.parts)

    def widened(
        self,
        *,
        action_eps: float = 0.0,
        disturbance: float = 0.0,
        pushes: Mapping[str, float] | None = None,
    ) -> Shield:
        """The shield for adversaries behind the policy too; its safe set is made anew.

        Args:
            action_eps: how far an adversary moves each entry of an action.
            disturbance: radius of an adversary that disturbs the world, in the disturbance's units.
            pushes: how far a disturbance of radius 1, whatever its direction, moves coordinates in
                a step, by name; it moves no others.

        Raises:
            ValueError: numbers out of range, unknown coordinates, a disturbance without pushes, a
                shield that was widened before, or backups that are too weak for such adversaries.
        """
        if self.action_eps or self.disturbance:
            raise ValueError("the shield was widened already; widen the one that it was made from")
        require(NOT_NEGATIVE, action_eps=action_eps, disturbance=disturbance)
        by = {name: disturbance * push for name, push in (pushes or {}).items()}
        parts = tuple(
            part.widened(
                action=action_eps,
                state=torch.tensor([by.get(n, 0.0) for n in part.names], dtype=torch.float64),
            )
            for part in self.parts
        )
        return replace(
            self,
            parts=parts,
            action_eps=action_eps,
            disturbance=disturbance,
            pushes=dict(pushes or {}),
        )

    def to_json(self) -> dict[str, Any]:
        """A dict for `json.dumps`."""
        return {
            "format": FORMAT,
            "eps": self.eps,
            "norm": self.norm,
            "action_eps": self.action_eps,
            "disturbance": self.disturbance,
            "pushes": dict(self.pushes),
            "parts": [part.to_json() for part in self.parts],
        }

    @classmethod
    def from_json(
        cls, data: Mapping[str, Any], model: Models = None, *, trust: bool = False
    ) -> Shield:
        """Undo `to_json`; the data are not trusted.

        Args:
            data: of a shield.
            model: the functions that it was fitted with, as for `fit`.
            trust: import the functions that the data name as "module:function", which runs code.
                Without either they stay names: numbers can be read, but nothing can be predicted.

        Raises:
            ValueError: another format, keys, types or shapes, numbers that are not finite or out of
                range, or functions with other values.
            ImportError: there is no such module.
        """
        try:
            told = _told(data)
            models = models_of(model, len(data["parts"]))
            parts = [
                Part.from_json(part, _named(part) if trust and own is None else own)
                for part, own in zip(data["parts"], models, strict=True)
            ]
            return cls(parts=tuple(parts), **told)
        except (AttributeError, LookupError, OverflowError, TypeError) as error:
            raise ValueError(f"the data hold no shield: {error}") from error

    def save(self, path: Path | str) -> None:
        """Write it as JSON."""
        Path(path).write_text(json.dumps(self.to_json(), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path | str, *, model: Models = None, trust: bool = False) -> Shield:
        """Read what `save` wrote.

        Args:
            path: of the file.
            model: the functions that it was fitted with, as for `fit`: a file holds their names and
                some of their values, and no code.
            trust: import the functions that the file names instead, which runs their modules.

        Raises:
            ValueError: no JSON, no shield, or functions that were neither given nor trusted.
            ImportError: there is no such module.
        """
        found = cls.from_json(parsed(Path(path).read_text()), model, trust=trust)
        for part in found.parts:
            if part.function is not None and part.function.call is None:
                raise NoFunctionError(part.function)
        return found

    @classmethod
    def fit(
        cls,
        make_env: Callable[[], gym.Env],
        *,
        coordinates: Any,
        h: Mapping[str, tuple[float, float]],
        eps: float,
        **options: Any,
    ) -> Shield:
        """A shield from data; see `fit.fit_shield` for all arguments."""
        from safer_gym.wrappers.shield.fit import fit_shield

        return fit_shield(make_env, coordinates=coordinates, h=h, eps=eps, **options)


def parsed(text: str) -> Any:
    """What the JSON text of a shield holds; it is not trusted.

    Raises:
        ValueError: no JSON, or a number that is not finite, which Python's JSON may hold.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("the shield's JSON is nested too deeply") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"a shield holds finite numbers, got {constant}")


def models_of(model: Models, n: int) -> tuple[Call | None, ...]:
    """A function, or None, of each of n parts.

    Raises:
        ValueError: another number of functions.
    """
    if model is None or callable(model):
        model = [model] * (n if model is None else 1)
    if len(model) != n:
        raise ValueError(f"model must have a function of each of {n} parts, got {len(model)}")
    return tuple(model)


def _told(data: Any) -> dict[str, Any]:
    """What data say of a shield beside its parts."""
    old = isinstance(data, Mapping) and data.get("format") == WITHOUT_PUSHES
    if not old and (not isinstance(data, Mapping) or data.get("format") != FORMAT):
        raise ValueError(f"a shield must be an object of format {FORMAT!r}")
    if old and data["disturbance"] != 0:
        raise ValueError(
            f"a shield of format {WITHOUT_PUSHES!r} counts disturbances in coordinates: widen it "
            "again, with disturbance=<radius> and pushes={coordinate: effect}"
        )
    names = ("eps", "norm", "action_eps", "disturbance")
    told = {name: data[name] for name in names}
    return told if old else told | {"pushes": dict(data["pushes"])}


def _named(part: Mapping[str, Any]) -> Call | None:
    """The function that a part's data name."""
    if "function" not in part:
        return None
    name = part["function"]["name"]
    if not name:
        raise ValueError("the shield's model has no name to import it by: give it (model=...)")
    return load_named(str(name))


def _flat(box: Box) -> Tensor:
    return torch.cat([box.low.clamp(min=-FAR), box.high.clamp(max=FAR)], 1)


def _box(known: Tensor) -> Box:
    return Box(*known.chunk(2, 1))
