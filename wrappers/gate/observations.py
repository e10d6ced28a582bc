"""Is this an observation of its space? Shape, type, finite numbers that fit float32, bounds."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from safer_gym.wrappers.cost_source import LARGEST

ROUNDING = 1e-6
"""How far beyond a bound of its space an observation may lie, relative to the bound."""


class ObservationCheck:
    """Says what is wrong with observations of a space.

    Args:
        space: a Box, or a Dict or Tuple of spaces. Of other spaces one observation is held against
            the space itself; batches of them are not looked at.
        bounded: whether entries must lie within the space's bounds, apart from `ROUNDING`. An
            attack's ball is cut by these bounds: where they are wrong, the attack is too weak.
    """

    def __init__(self, space: gym.Space, *, bounded: bool) -> None:
        self._space = space
        self._parts: dict[Any, ObservationCheck] = {}
        self._box: gym.spaces.Box | None = None
        if isinstance(space, gym.spaces.Dict):
            self._parts = {k: ObservationCheck(s, bounded=bounded) for k, s in space.items()}
        elif isinstance(space, gym.spaces.Tuple):
            self._parts = {i: ObservationCheck(s, bounded=bounded) for i, s in enumerate(space)}
        elif isinstance(space, gym.spaces.Box):
            self._box = space
            self._kinds = "fiub" if np.issubdtype(space.dtype, np.floating) else "iub"
            widest = np.float32(-LARGEST), np.float32(LARGEST)
            self._low: Any
            self._high: Any
            self._low, self._high = _limits(space) if bounded else widest

    def fault(self, obs: Any, axes: int = 0) -> str:
        """What is wrong, as the end of a sentence; "" where nothing is.

        Args:
            obs: one observation, or a batch of them.
            axes: how many axes of the batch come before an observation's own.
        """
        for key, part in self._parts.items():
            try:
                found = part.fault(obs[key], axes)
            except (KeyError, IndexError, TypeError):
                return f"without the entry {key!r}"
            if found:
                return found
        if self._box is None:
            alone = not self._parts and not axes
            return f"{obs!r} that is not in {self._space}" if alone and not self._holds(obs) else ""
        array = np.asarray(obs)
        if array.shape[axes:] != self._box.shape or array.ndim < axes:
            return f"of shape {array.shape[axes:]}; its space has {self._box.shape}"
        if array.dtype.kind not in self._kinds:
            return f"of type {array.dtype}; its space has {self._box.dtype}"
        if ((array >= self._low) & (array <= self._high)).all():
            return ""
        return self._explained(array, axes)

    def _holds(self, obs: Any) -> bool:
        try:
            return bool(self._space.contains(obs))
        except (TypeError, ValueError, AttributeError):
            return False

    def _explained(self, array: np.ndarray, axes: int) -> str:
        wrong = ~((array >= self._low) & (array <= self._high))
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        value, where = array[place], f"{list(place[axes:])}"
        if axes:
            where += f" of environment {place[0]}"
        if not np.isfinite(value):
            return f"that is not finite: entry {where} is {value}"
        if abs(float(value)) > LARGEST:
            return f"that is too large for float32 arithmetic: entry {where} is {value:g}"
        assert self._box is not None
        low, high = self._box.low[place[axes:]], self._box.high[place[axes:]]
        return (
            f"outside its own space: entry {where} is {value}, declared in [{low}, {high}]. "
            "Attacks stay within these bounds, so they must be true: declare wider ones"
        )


def _limits(space: gym.spaces.Box) -> tuple[np.ndarray, np.ndarray]:
    low, high = space.low.astype(float), space.high.astype(float)
    low -= ROUNDING * np.maximum(1.0, np.abs(low))
    high += ROUNDING * np.maximum(1.0, np.abs(high))
    # In the space's own type the comparison of a step needs no conversion.
    kind = np.result_type(space.dtype, np.float32)
    return np.maximum(low, -LARGEST).astype(kind), np.minimum(high, LARGEST).astype(kind)
