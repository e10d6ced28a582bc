"""(C): what each step may change, added up along benign episodes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from safer_gym.bounds import additive_bound
from safer_gym.conformance.certificate.requirement import Metric
from safer_gym.conformance.certify.compositions.composition import Composition, Sums
from safer_gym.conformance.certify.divergence import TV, TV_LEFT
from safer_gym.conformance.evaluate.outcomes import Floats


class Additive(Composition):
    """p + E[sum of TV]; of the mean cost, TV times the share of steps left."""

    method = "additive"
    title = "additive (C)"

    @classmethod
    def candidates(cls, sums: Sums, metric: Metric) -> Iterator[Composition]:
        """One, for every policy."""
        column = TV if metric == "rate" else TV_LEFT
        yield cls(metric, column, sums.budgets[column])

    @property
    def is_event(self) -> bool:
        """False: what was spent is part of the value."""
        return False

    @property
    def top(self) -> float:
        """A violation, and all of the budget."""
        return 1.0 + self.budget

    def values(self, shares: Floats, spent: Floats) -> Floats:
        """Share and spending; all of both where the budget was exceeded."""
        used = np.minimum(spent[:, self.column], self.budget)
        return np.where(self.overruns(spent), self.top, shares + used)

    def bound(self, mean: float) -> float:
        """The mean itself."""
        return float(additive_bound(mean, 0.0))
