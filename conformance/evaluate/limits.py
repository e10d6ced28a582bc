"""What is said of all episodes, and held against each of them: their length, the cost of a step.

Bounds of the mean, of quantiles and of CVaR, and what compositions sum over the steps that are
left, are only as true as these two numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from safer_gym.conformance.certificate.record import EnvironmentRecord
from safer_gym.domains import POSITIVE, require


class Limits(NamedTuple):
    """Limits of every episode; None where none is stated."""

    horizon: int | None = None
    """Most steps."""
    max_step_cost: float | None = None
    """Largest cost of one step."""

    @classmethod
    def declared(cls, env: gym.Env, max_step_cost: float | None = None) -> Limits:
        """The environment's own: its spec's `max_episode_steps`, its attribute `max_step_cost`.

        Args:
            max_step_cost: the user's word, which counts instead.

        Raises:
            ValueError: a largest cost that is not a positive number, or below the environment's.
        """
        name = "max_step_cost"
        own = env.get_wrapper_attr(name) if env.has_wrapper_attr(name) else None
        for value in (own, max_step_cost):
            require(POSITIVE.or_none, max_step_cost=value)
        if own is not None and max_step_cost is not None and max_step_cost < own:
            raise ValueError(
                f"max_step_cost must not be below what the environment declares, {own:g}; got "
                f"{max_step_cost:g}"
            )
        largest = max_step_cost if max_step_cost is not None else own
        return cls(
            getattr(env.spec, "max_episode_steps", None),
            None if largest is None else float(largest),
        )

    @classmethod
    def recorded(cls, environment: EnvironmentRecord) -> Limits:
        """Those that a certificate leans on."""
        return cls(environment.horizon, environment.max_step_cost)

    def largest_cost(self, length: int | None = None) -> float | None:
        """Most that an episode costs, of this length or of any; None where no limit is stated.

        Summed step by step as costs are, so that rounding takes no episode above it.
        """
        steps = self.horizon if length is None else length
        if steps is None or self.max_step_cost is None:
            return None
        return float(np.cumsum(np.full(steps, self.max_step_cost))[-1])

    def check(self, cost: float, length: int, seed: int) -> None:
        """Refuse a step that contradicts what is said.

        Args:
            cost: of the step.
            length: number of the episode's steps, this one included.
            seed: of the episode.

        Raises:
            ValueError: names the limit, the episode and what was seen.
        """
        if self.max_step_cost is not None and cost > self.max_step_cost:
            raise ValueError(
                f"max_step_cost is {self.max_step_cost!r}, but step {length} of the episode of "
                f"seed {seed} cost {cost!r}: pass the largest cost that a step can have"
            )
        if self.horizon is not None and length > self.horizon:
            raise ValueError(
                f"the horizon is {self.horizon}, but the episode of seed {seed} went on after so "
                "many steps: the spec's max_episode_steps must hold for every episode (gym.make "
                "enforces it by a TimeLimit)"
            )

    def faults(self, costs: NDArray[np.float64], lengths: NDArray[np.int64]) -> Iterator[str]:
        """Which episodes cannot have happened under these limits, in words."""
        for number, (cost, length) in enumerate(zip(costs, lengths, strict=True)):
            if not 1 <= length <= (self.horizon or length):
                yield f"episode {number} has {length} steps, the horizon is {self.horizon}"
                continue
            largest = self.largest_cost(int(length))
            if not 0.0 <= cost <= (np.finfo(float).max if largest is None else largest):
                most = "" if largest is None else f", {length} steps cost at most {largest:.6g}"
                yield f"episode {number} has a cost of {cost!r}{most}"
