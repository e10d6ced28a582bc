"""Where the cost of a step comes from: a key of `info`, several named constraints, a function."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from safer_gym.choices import choose
from safer_gym.domains import FLAG, require

CostFunction = Callable[[Any, Any, Any, Mapping[str, Any]], Any]
"""(obs, action, next_obs, info) to a cost: a number, a vector, or a dict of numbers."""

Constraint = str | CostFunction
"""A key of `info`, or a function of the transition."""

Reducer = Callable[[Mapping[str, float]], float]
"""Costs by constraint name to one cost."""

LARGEST = 1e18
"""Of a cost, a reward and an entry of an observation. Networks, critics and normalisers square
them in float32, whose largest number is 3e38."""

DEFAULT_KEYS = ("cost", "cost_sum", "constraint_violation")
"""Keys of `info` that are looked for, in this order, if no source is named."""

REDUCERS: dict[str, Reducer] = {
    "sum": lambda parts: math.fsum(parts.values()),
    "max": lambda parts: max(parts.values(), default=0.0),
}


class MissingCostError(ValueError):
    """The environment gave no cost where one was looked for."""


class CostReading(NamedTuple):
    """The cost of one step."""

    cost: float
    parts: dict[str, float] | None
    """Costs by constraint, if there are several."""


class CostSource:
    """Reads the cost of a step, and refuses what is no cost.

    Args:
        cost: None looks for `info["cost"]`, then `"cost_sum"`, then `"constraint_violation"`; a
            string names another key; a function takes (obs, action, next_obs, info); a dict of
            such keys and functions names several constraints.
        reduce: how several constraints become one cost: `"sum"`, `"max"`, or a function of the
            dict of their costs.
        strict: whether a missing key is an error. If not, it counts as zero, with one warning.

    Keys are never guessed by their first letters: `cost_sum` beside its parts, or a running
    `total_cost`, would be counted twice.

    Raises:
        TypeError: `cost` or `reduce` is of none of these kinds.
        ValueError: an empty dict, or an unknown reducer's name.
    """

    def __init__(
        self,
        cost: Constraint | Mapping[str, Constraint] | None = None,
        *,
        reduce: str | Reducer = "sum",
        strict: bool = True,
    ) -> None:
        self._constraints = _constraints(cost)
        self._reduce = _reducer(reduce)
        require(FLAG, strict=strict)
        self._strict = strict
        self._warned = False

    @property
    def needs_transition(self) -> bool:
        """Whether a function looks at the observations."""
        return any(callable(constraint) for constraint in self._constraints.values())

    @property
    def keys(self) -> tuple[str, ...] | None:
        """The only keys of `info` that are read, or None where a function may read any."""
        if self.needs_transition:
            return None
        return tuple(str(key) for key in self._constraints.values()) or DEFAULT_KEYS

    def read(self, obs: Any, action: Any, next_obs: Any, info: Mapping[str, Any]) -> CostReading:
        """The cost of a step.

        Args:
            obs: before the step; None is enough unless `needs_transition`.
            action: what was done.
            next_obs: after the step, before any reset.
            info: of the step.

        Raises:
            MissingCostError: strict, and a key is absent; names the ways to supply a cost.
            ValueError: a cost that is not finite (NaN counts as no cost) or is below 0.
            TypeError: a cost that is no number.
        """
        if not self._constraints:
            key = next((key for key in DEFAULT_KEYS if key in info), None)
            return self._reading(self._lookup(info, key or DEFAULT_KEYS[0]), key or "cost")
        found = {
            name: constraint(obs, action, next_obs, info)
            if callable(constraint)
            else self._lookup(info, constraint)
            for name, constraint in self._constraints.items()
        }
        if list(found) == [""]:
            return self._reading(found[""], "cost")
        parts = {name: self._reading(value, name).cost for name, value in found.items()}
        return CostReading(as_cost(self._reduce(parts), "the reduced cost"), parts)

    def _lookup(self, info: Mapping[str, Any], key: str) -> Any:
        if key in info:
            return info[key]
        if self._strict:
            raise MissingCostError(_missing(key, info, default=not self._constraints))
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"info has no {key!r}: a missing cost counts as zero, since strict=False.",
                stacklevel=2,
            )
        return 0.0

    def _reading(self, value: Any, name: str) -> CostReading:
        if isinstance(value, Mapping):
            named = value.items()
        elif np.ndim(value) == 1 and len(value) > 1:
            named = ((str(place), entry) for place, entry in enumerate(value))  # type: ignore
        else:
            return CostReading(as_cost(value, name), None)
        parts = {str(key): as_cost(entry, f"{name}[{key!r}]") for key, entry in named}
        return CostReading(as_cost(self._reduce(parts), "the reduced cost"), parts)


def as_cost(value: Any, name: str) -> float:
    """One number as a cost.

    Raises:
        TypeError: it is no single number.
        ValueError: it is not finite, too large for float32 arithmetic, or below 0.
    """
    try:
        one = value if np.ndim(value) == 0 else np.reshape(value, ())
        if isinstance(one, (str, bytes)) or (
            isinstance(one, np.ndarray) and one.dtype.kind in "SU"
        ):
            raise TypeError("text is no number")
        cost = float(one)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a single number; got {value!r}.") from error
    if not math.isfinite(cost):
        raise ValueError(
            f"{name} must be finite; got {cost}. A cost that cannot be told is not a safe one."
        )
    if cost > LARGEST:
        raise ValueError(f"{name} is {cost:g}, too large for float32 arithmetic ({LARGEST:g}).")
    if cost < 0:
        raise ValueError(
            f"{name} must be at least 0; got {cost}. A cost is >= 0: it is no negative reward."
        )
    return cost


def _constraints(
    cost: Constraint | Mapping[str, Constraint] | None,
) -> dict[str, Constraint]:
    """By name; a single one has the empty name; none at all means the default keys."""
    if cost is None:
        return {}
    if isinstance(cost, str) or callable(cost):
        return {"": cost}
    if not isinstance(cost, Mapping):
        raise TypeError(
            "cost must be None, a key of info, a function (obs, action, next_obs, info), or a "
            f"dict of these by name; got {type(cost).__name__}."
        )
    if not cost:
        raise ValueError("cost must name at least one constraint; got an empty dict.")
    for name, constraint in cost.items():
        if not (isinstance(constraint, str) or callable(constraint)):
            raise TypeError(
                f"cost[{name!r}] must be a key of info or a function (obs, action, next_obs, "
                f"info); got {type(constraint).__name__}."
            )
    return {str(name): constraint for name, constraint in cost.items()}


def _reducer(reduce: str | Reducer) -> Reducer:
    if callable(reduce):
        return reduce
    return REDUCERS[choose("reduce", reduce, REDUCERS)]


def _missing(key: str, info: Mapping[str, Any], *, default: bool) -> str:
    looked_for = " or ".join(map(repr, DEFAULT_KEYS)) if default else repr(key)
    there = ", ".join(sorted(map(repr, info))) or "nothing"
    return (
        f"This environment gave no cost: info has no {looked_for} (it has {there}). Ways to "
        "supply one: CostTracker(env, cost='key') for another key of info; "
        "cost=function(obs, action, next_obs, info); cost={'name': key or function, ...} for "
        "several constraints; SafetyGymnasiumAdapter(env) for an environment whose step gives "
        "six values; or strict=False, which counts a missing cost as zero."
    )
