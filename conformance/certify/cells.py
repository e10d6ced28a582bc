"""Episodes as they come in, and the anytime-valid bounds that they allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from safer_gym.conformance.certify.world import Result
from safer_gym.conformance.evaluate.outcomes import Floats
from safer_gym.conformance.statistics import mean_sequence, rate_sequence


class Ends(NamedTuple):
    """One-sided bounds of one metric."""

    lower: float
    upper: float


@dataclass
class Cell:
    """The fresh episodes of one attack at one radius, in order."""

    results: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """More episodes, those that follow the ones already here."""
        self.results.append(result)

    @property
    def n(self) -> int:
        """How many episodes there are."""
        return sum(len(result.costs) for result in self.results)

    @property
    def costs(self) -> Floats:
        """[n]"""
        return np.concatenate([np.zeros(0), *(r.costs for r in self.results)])

    @property
    def returns(self) -> Floats:
        """[n]"""
        return np.concatenate([np.zeros(0), *(r.returns for r in self.results)])

    @property
    def lengths(self) -> Floats:
        """[n]"""
        return np.concatenate([np.zeros(0), *(r.lengths for r in self.results)])

    @property
    def worst_h(self) -> Floats:
        """[n], or [0] where the environment reports no h."""
        return np.concatenate([np.zeros(0), *(r.worst_h for r in self.results)])

    @property
    def spent(self) -> Floats:
        """[n, radii, columns]"""
        return np.concatenate([r.spent for r in self.results])


def rate_ends(costs: Floats, limit: float, lower: float, upper: float) -> Ends:
    """Bounds of the probability of a cost above `limit`; `lower` and `upper` are their deltas."""
    if len(costs) == 0:
        return Ends(0.0, 1.0)
    hits = costs > limit
    return Ends(
        float(rate_sequence(hits, lower).lower[-1]), float(rate_sequence(hits, upper).upper[-1])
    )


def mean_ends(costs: Floats, high: float | None, cap: float, lower: float, upper: float) -> Ends:
    """Bounds of the mean cost.

    Args:
        high: largest cost of an episode; None where it is unknown: there is no upper bound, and
            the lower one is that of min(cost, cap), which is never above the cost.
        cap: a number chosen before these episodes.
        lower, upper: the deltas.
    """
    if len(costs) == 0:
        return Ends(0.0, np.inf if high is None else high)
    if high is not None:
        return Ends(
            float(mean_sequence(costs, high, lower).lower[-1]),
            float(mean_sequence(costs, high, upper).upper[-1]),
        )
    if cap <= 0.0:
        return Ends(0.0, np.inf)
    return Ends(float(mean_sequence(np.minimum(costs, cap), cap, lower).lower[-1]), np.inf)
