"""What an environment returns, checked at every step before anything is counted or learned from.

Nothing here needs torch: a cost tracker checks too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from safer_gym.wrappers.cost_source import LARGEST, MissingCostError, as_cost
from safer_gym.wrappers.gate.observations import ObservationCheck

NO_COST = (
    'the step returned no info["cost"], and an absent cost is not a cost of zero; wrap the '
    "environment in safer_gym.wrappers.cost.CostTracker and tell it where the cost is"
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

    def h(self, info: Mapping[str, Any]) -> float:
        """The constraint function at the state, infinite where the environment reports none.

        Raises:
            ValueError: no finite number.
        """
        if "h" not in info:
            return np.inf
        try:
            h = float(np.reshape(info["h"], ()))
        except (TypeError, ValueError):
            h = np.nan
        if not abs(h) <= LARGEST:
            self._refuse(f"info['h'] = {info['h']!r}, which must be a finite number")
        return h

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


def _kind(answer: Any) -> str:
    return f"{len(answer)} values" if isinstance(answer, tuple) else f"a {type(answer).__name__}"


def _hint(answer: Any) -> str:
    six = isinstance(answer, tuple) and len(answer) == 6
    return "; wrap it in safer_gym.wrappers.SafetyGymnasiumAdapter" if six else ""
