"""What an environment returns, checked at every step before anything is counted or learned from.

Nothing here needs torch: a cost tracker checks too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from safer_gym.wrappers.cost_source import LARGEST, MissingCostError, as_cost

__all__ = ["LARGEST", "BatchGate", "EnvironmentGate", "ObservationCheck"]

ROUNDING = 1e-6
"""How far beyond a bound of its space an observation may lie, relative to the bound."""

NO_COST = (
    'the step returned no info["cost"], and an absent cost is not a cost of zero; wrap the '
    "environment in safer_gym.wrappers.cost.CostTracker and tell it where the cost is"
)


class ObservationCheck:
    """Says what is wrong with observations of a space.

    Args:
        space: a Box, or a Dict or Tuple of spaces; entries that are not a Box are not looked at.
        bounded: whether entries must lie within the space's bounds, apart from `ROUNDING`. An
            attack's ball is cut by these bounds: where they are wrong, the attack is too weak.
    """

    def __init__(self, space: gym.Space, *, bounded: bool) -> None:
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
            return ""
        array = np.asarray(obs)
        if array.shape[axes:] != self._box.shape or array.ndim < axes:
            return f"of shape {array.shape[axes:]}; its space has {self._box.shape}"
        if array.dtype.kind not in self._kinds:
            return f"of type {array.dtype}; its space has {self._box.dtype}"
        if ((array >= self._low) & (array <= self._high)).all():
            return ""
        return self._explained(array, axes)

    def _explained(self, array: np.ndarray, axes: int) -> str:
        wrong = ~((array >= self._low) & (array <= self._high))
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        value, where = array[place], list(place[axes:])
        where = f"{where} of environment {place[0]}" if axes else f"{where}"
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


class BatchGate:
    """Checks what a vector environment returns; an error names the environment and the step.

    Args:
        space: the observation space of one environment.
    """

    def __init__(self, space: gym.Space) -> None:
        self._check = ObservationCheck(space, bounded=False)
        self._steps = 0

    def check(self, obs: Any, rewards: Any = ()) -> None:
        """Observations [E, *O], and after a step rewards [E].

        Raises:
            ValueError: an observation of another shape or type; one, or a reward, that is not
                finite or too large.
        """
        if fault := self._check.fault(obs, axes=1):
            raise ValueError(
                f"the vector environment returned an observation {fault} (step {self._steps})"
            )
        self._steps += 1
        wrong = ~(np.abs(rewards) <= LARGEST)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"the vector environment returned the reward {rewards[row]} from environment "
                f"{row}, which is not finite, or too large for float32 (step {self._steps - 1})"
            )


class EnvironmentGate:
    """Checks what one environment returns; an error names the episode's seed and the step.

    Args:
        space: the observation space.
        bounded: see `ObservationCheck`.
    """

    def __init__(self, space: gym.Space, *, bounded: bool) -> None:
        self._check = ObservationCheck(space, bounded=bounded)
        self._seed: int | None = None
        self._steps = 0

    def reset(self, answer: Any, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """What `reset` returned, where an episode begins.

        Raises:
            ValueError: not (obs, info), or an observation that is none.
        """
        self._seed, self._steps = seed, 0
        if not isinstance(answer, tuple) or len(answer) != 2:
            self._refuse(f"{_kind(answer)} from reset, which must return (obs, info)")
        self._require(self._check.fault(answer[0]))
        return answer

    def step(self, answer: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """What `step` returned, with the reward as a float and ends as bools.

        Raises:
            ValueError: not five values; an observation of another shape or type, not finite, too
                large or out of bounds; a reward that is no finite number; ends that are no bool.
        """
        self._steps += 1
        if not isinstance(answer, tuple) or len(answer) != 5:
            self._refuse(f"{_kind(answer)} from step, which must return five values{_hint(answer)}")
        obs, reward, terminated, truncated, info = answer
        self._require(self._check.fault(obs))
        for name, value in (("terminated", terminated), ("truncated", truncated)):
            if not isinstance(value, (bool, np.bool_)):
                self._refuse(f"{name} = {value!r}, which must be a bool")
        return obs, self._number(reward), bool(terminated), bool(truncated), info

    def cost(self, info: Mapping[str, Any]) -> float:
        """The step's cost.

        Raises:
            MissingCostError, ValueError, TypeError: no cost, or none that is a finite number >= 0.
        """
        cost = info.get("cost")
        if isinstance(cost, float) and 0 <= cost <= LARGEST:
            return float(cost)
        if "cost" not in info:
            raise MissingCostError(NO_COST)
        try:
            return as_cost(info["cost"], 'info["cost"]')
        except (ValueError, TypeError) as error:
            raise type(error)(f"{error} {self._place()}") from error

    def _number(self, reward: Any) -> float:
        try:
            one = isinstance(reward, float) or np.ndim(reward) == 0
            number = float(reward if one else np.reshape(reward, ()))
        except (TypeError, ValueError):
            self._refuse(f"the reward {reward!r}, which must be a number")
        if not abs(number) <= LARGEST:
            self._refuse(f"the reward {number:g}, which is not finite, or too large for float32")
        return number

    def _require(self, fault: str) -> None:
        if fault:
            self._refuse(f"an observation {fault}")

    def _refuse(self, what: str) -> None:
        raise ValueError(f"the environment returned {what} {self._place()}")

    def _place(self) -> str:
        episode = "episode" if self._seed is None else f"episode of seed {self._seed}"
        return f"({episode}, {f'step {self._steps}' if self._steps else 'reset'})"


def _limits(space: gym.spaces.Box) -> tuple[np.ndarray, np.ndarray]:
    low, high = space.low.astype(float), space.high.astype(float)
    low -= ROUNDING * np.maximum(1.0, np.abs(low))
    high += ROUNDING * np.maximum(1.0, np.abs(high))
    # In the space's own type the comparison of a step needs no conversion.
    kind = np.result_type(space.dtype, np.float32)
    return np.maximum(low, -LARGEST).astype(kind), np.minimum(high, LARGEST).astype(kind)


def _kind(answer: Any) -> str:
    return f"{len(answer)} values" if isinstance(answer, tuple) else f"a {type(answer).__name__}"


def _hint(answer: Any) -> str:
    six = isinstance(answer, tuple) and len(answer) == 6
    return "; wrap it in safer_gym.wrappers.SafetyGymnasiumAdapter" if six else ""
