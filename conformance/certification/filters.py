"""The filter of one radius: which order and budget to use, chosen on search episodes.

The choice is made before the benign episodes that bound anything, so it costs no confidence. A
good choice makes the bound tight; any choice is sound.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safer_gym.bounds import gaussian_filter, moment_mean, renyi_filter
from safer_gym.conformance.outcomes import Floats

DEVIATIONS = 4.0
"""How far above the mean of what search episodes spent a budget is set. An episode in thousands
may exceed it; a wider budget would cost more than these do."""
SLACK = 0.02
"""And relative to the most that one of them spent."""


class Filter(NamedTuple):
    """An episode hits when it violates the limit, or spends more than `budget`."""

    order: float
    """Renyi order; infinite: squared mean shifts, for the Gaussian filter."""
    column: int
    """Of the orders."""
    budget: float

    @property
    def is_gaussian(self) -> bool:
        """Constant noise."""
        return bool(np.isinf(self.order))

    @property
    def shift(self) -> float:
        """The budget as a mean shift of a unit Gaussian that would spend as much."""
        return float(np.sqrt(self.budget if self.is_gaussian else 2 * self.budget / self.order))

    def overruns(self, spent: Floats) -> NDArray[np.bool_]:
        """Which episodes spent too much: [n, orders] to [n]."""
        return ~(spent[:, self.column] <= self.budget)

    def probability(self, p: float) -> float:
        """Bound of an event's probability under every adversary, from the benign bound p."""
        if self.is_gaussian:
            return float(gaussian_filter(p, self.shift))
        return float(renyi_filter(p, [self.budget], [self.order]))


class MeanFilter(NamedTuple):
    """E_att[C] <= (e^rho E[C^q])^(1/q), q = order / (order - 1), by Hoelder's inequality.

    C counts as its largest possible value where the budget is exceeded.
    """

    order: float
    column: int
    budget: float
    """In units of the column: squared mean shifts for constant noise, else Renyi divergence."""
    is_gaussian: bool
    """Constant noise: the Renyi divergence of each order follows from the mean shifts."""

    @property
    def shift(self) -> float:
        """The budget as a mean shift of a unit Gaussian that would spend as much."""
        return float(np.sqrt(self.budget if self.is_gaussian else 2 * self.budget / self.order))

    @property
    def rho(self) -> float:
        """The budget as a Renyi divergence of this order."""
        return self.order * self.budget / 2 if self.is_gaussian else self.budget

    @property
    def q(self) -> float:
        """The power of the cost whose mean is bounded."""
        return self.order / (self.order - 1)

    def overruns(self, spent: Floats) -> NDArray[np.bool_]:
        """Which episodes spent too much: [n, orders] to [n]."""
        return ~(spent[:, self.column] <= self.budget)

    def mean(self, moment: float) -> float:
        """Bound of the mean under every adversary, from the benign bound of the mean of C^q."""
        return float(moment_mean([moment], [self.rho], [self.order]))


def choose_filter(spent: Floats, orders: tuple[float, ...], p: float) -> Filter | None:
    """The filter with the least bound for an event of benign probability `p`.

    Args:
        spent: by search episodes [n, orders].
        orders: see `orders_of`.

    Returns:
        None where every order's divergence is infinite.
    """
    budgets = _budgets(spent)
    filters = [
        Filter(order, column, float(budgets[column]))
        for column, order in enumerate(orders)
        if np.isfinite(budgets[column])
    ]
    return min(filters, key=lambda f: f.probability(p), default=None)


def choose_mean_filter(
    spent: Floats, orders: tuple[float, ...], costs: Floats, high: float, candidates: Floats
) -> MeanFilter | None:
    """The mean filter with the least bound at the search episodes' costs [n].

    Args:
        high: largest cost of an episode.
        candidates: orders to try where noise is constant, and Renyi divergences known at all.
    """
    budgets = _budgets(spent)
    if np.isinf(orders[0]):
        options = [MeanFilter(a, 0, float(budgets[0]), is_gaussian=True) for a in candidates]
    else:
        options = [
            MeanFilter(order, column, float(budgets[column]), is_gaussian=False)
            for column, order in enumerate(orders)
            if np.isfinite(budgets[column])
        ]

    def guess(f: MeanFilter) -> float:
        # A fresh bound lies above the sample's mean by a few parts of the range.
        return f.mean(float(np.mean(costs**f.q)) + 0.01 * high**f.q)

    return min(options, key=guess, default=None)


def _budgets(spent: Floats) -> Floats:
    largest = spent.max(axis=0)
    with np.errstate(invalid="ignore"):
        likely = spent.mean(axis=0) + DEVIATIONS * spent.std(axis=0)
    wide = np.maximum(np.nan_to_num(likely, nan=np.inf), largest * (1 + SLACK))
    return np.where(np.isfinite(largest), wide + 1e-12, np.inf)
