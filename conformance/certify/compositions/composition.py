"""What every composition has: a budget, the value of an episode, the bound of the worst case."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safer_gym.conformance.certificate.requirement import Metric
from safer_gym.conformance.evaluate.outcomes import Floats


class Sums(NamedTuple):
    """What search episodes say of the columns of `spent_budgets`."""

    budgets: tuple[float, ...]
    """For each column a budget that hardly any episode exceeds; infinite where there is none."""
    orders: tuple[float, ...]
    """Of the Renyi divergences in the first columns; (inf,) where the first column has squared
    mean shifts of constant noise."""

    @property
    def has_constant_noise(self) -> bool:
        """Whether the first column has squared mean shifts."""
        return bool(np.isinf(self.orders[0]))


@dataclass(frozen=True)
class Composition(ABC):
    """One way to bound one metric at one radius. Subclasses are complete."""

    metric: Metric
    column: int
    """Of what was spent."""
    budget: float
    order: float | None = None
    """Of the Renyi divergence, where the method has one."""

    method: ClassVar[str]
    """Its name in certificates."""
    title: ClassVar[str]
    """Its name in reports."""

    @classmethod
    @abstractmethod
    def candidates(cls, sums: Sums, metric: Metric) -> Iterator[Composition]:
        """Those that may bound a metric; a budget may be infinite."""

    @abstractmethod
    def bound(self, mean: float) -> float:
        """The worst case's share under every adversary, at most 1, from the values' benign mean."""

    @property
    def is_event(self) -> bool:
        """Whether values are 0 or 1, so that their mean is a rate."""
        return self.metric == "rate"

    @property
    def top(self) -> float:
        """The largest value of an episode."""
        return 1.0

    @property
    def shift(self) -> float | None:
        """The budget as a mean shift of a unit Gaussian that would spend as much."""
        return None

    def overruns(self, spent: Floats) -> NDArray[np.bool_]:
        """Which episodes spent more than the budget: [n, columns] to [n]."""
        return ~(spent[:, self.column] <= self.budget)

    def values(self, shares: Floats, spent: Floats) -> Floats:
        """What each episode counts, in [0, top], [n].

        Args:
            shares: in [0, 1], [n]: whether it violated the limit, or its part of the largest cost.
            spent: [n, columns].
        """
        return np.where(self.overruns(spent), 1.0, shares)
