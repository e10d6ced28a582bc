"""Options of the penalty on how far an adversary can move the mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from safer_gym.agents.options import schedule_between
from safer_gym.balls import NORMS
from safer_gym.choices import choose
from safer_gym.domains import AT_LEAST_ONE, NOT_NEGATIVE, SHARE, require, require_array
from safer_gym.schedules import SCHEDULES


@dataclass(frozen=True)
class CertifiedOptions:
    """A penalty on the enclosed shift of the mean, so that a bound over every adversary exists.

    Args:
        certified_weight: of the mean over the batch of m^2 in the actor's loss; 0 is no penalty. m
            is how far the mean can move inside the ball, in deviations of the action noise; the
            Gaussian filter's M^2 is the sum of m^2 over an episode. It needs noise that does not
            depend on the observation: `policy_kwargs={"actor_kwargs": {"covariance": "constant"}}`.
        certified_eps: radius of that ball, in units of the observations that the policy receives:
            a number, or one for each entry.
        certified_norm: "l1", "l2" or "linf".
        certified_states: how many states of each batch are enclosed; more cost time, which grows
            with them, and make the penalty less noisy.
        certified_schedule, certified_start, certified_end: how the radius grows, as fractions of
            training; "constant" is the whole radius from the beginning.
    """

    certified_weight: float = 0.0
    certified_eps: float | np.ndarray = 0.01
    certified_norm: str = "linf"
    certified_states: int = 32
    certified_schedule: Any = "linear"
    certified_start: float = 0.0
    certified_end: float = 0.5

    def __post_init__(self) -> None:
        require(NOT_NEGATIVE, certified_weight=self.certified_weight)
        require_array(NOT_NEGATIVE, certified_eps=self.certified_eps)
        require(AT_LEAST_ONE, certified_states=self.certified_states)
        require(SHARE, certified_start=self.certified_start, certified_end=self.certified_end)
        if self.certified_start > self.certified_end:
            raise ValueError(
                "certified_start must not be above certified_end; got "
                f"{self.certified_start!r} and {self.certified_end!r}"
            )
        if not callable(self.certified_schedule):
            choose("certified_schedule", self.certified_schedule, SCHEDULES)
        choose("certified_norm", self.certified_norm, NORMS)
        if isinstance(self.certified_eps, (list, tuple)):
            object.__setattr__(self, "certified_eps", np.asarray(self.certified_eps, dtype=float))

    def radius(self, progress: float) -> float | np.ndarray:
        """The radius at a progress of training in [0, 1]."""
        window = self.certified_start, self.certified_end
        return self.certified_eps * schedule_between(self.certified_schedule, *window)(progress)
