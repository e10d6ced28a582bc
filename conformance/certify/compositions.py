"""How benign episodes become a bound over every adversary: the compositions of section 6.2.

Each gives an episode a *value*, from its cost and from what an adversary could have used up along
it, and bounds the worst case by an increasing function of the value's benign mean. The worst case
is in shares: of episodes that violate the limit, or of the largest cost. An episode that spends
more than the budget counts in full, so that the budget holds surely (see `safer_gym.bounds`).

Which one is used is chosen on search episodes, before those that bound anything, so the choice
costs no confidence. A good choice makes the bound tight; any choice is sound.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safer_gym.bounds import (
    ORDERS,
    additive_bound,
    coupled_rate,
    gaussian_filter,
    moment_mean,
    renyi_filter,
)
from safer_gym.conformance.certificate.evidence import Method
from safer_gym.conformance.certificate.requirement import Metric
from safer_gym.conformance.certify.divergence import HAZARD, TV, TV_LEFT
from safer_gym.conformance.evaluate.outcomes import Floats

DEVIATIONS = 4.0
"""How far above the mean of what search episodes spent a budget is set. An episode in thousands
may exceed it; a wider budget would cost more than these do."""
SLACK = 0.02
"""And relative to the most that one of them spent."""


class Composition(NamedTuple):
    """One way to bound one metric at one radius."""

    method: Method
    """
    gaussian         Phi(Phi^-1(p) + M): constant noise, budgets of squared mean shifts
    renyi            the most that a Renyi divergence of one order allows
    ... moment       Hoelder's inequality, for the mean cost: (e^rho E[x^q])^(1/q)
    coupling         (B): p + 1 - exp(-L), budgets of hazards -log(1 - TV)
    additive         (C): p + E[sum of TV]; of the mean cost, TV times the share of steps left
    """
    metric: Metric
    column: int
    """Of what was spent."""
    budget: float
    order: float | None = None
    """Of the Renyi divergence."""

    @property
    def is_event(self) -> bool:
        """Values are 0 or 1, and their mean is a rate."""
        return self.metric == "rate" and self.method != "additive"

    @property
    def top(self) -> float:
        """The largest value of an episode."""
        return 1.0 + self.budget if self.method == "additive" else 1.0

    @property
    def shift(self) -> float | None:
        """The budget as a mean shift of a unit Gaussian that would spend as much."""
        if self.method in ("coupling", "additive"):
            return None
        spends_shifts = self.method.startswith("gaussian")
        return float(np.sqrt(self.budget if spends_shifts else 2 * self.budget / self._order))

    def overruns(self, spent: Floats) -> NDArray[np.bool_]:
        """Which episodes spent too much: [n, columns] to [n]."""
        return ~(spent[:, self.column] <= self.budget)

    def values(self, shares: Floats, spent: Floats) -> Floats:
        """What each episode counts, in [0, top], [n].

        Args:
            shares: in [0, 1], [n]: whether it violated the limit, or its part of the largest cost.
            spent: [n, columns].
        """
        if self.method == "additive":
            used = np.minimum(spent[:, self.column], self.budget)
            return np.where(self.overruns(spent), self.top, shares + used)
        full = np.where(self.overruns(spent), 1.0, shares)
        return full**self.power if self.method.endswith("moment") else full

    def bound(self, mean: float) -> float:
        """The worst case's share under every adversary, at most 1, from the values' benign mean."""
        if self.method == "gaussian":
            return float(gaussian_filter(mean, np.sqrt(self.budget)))
        if self.method == "renyi":
            return float(renyi_filter(mean, [self.budget], [self._order]))
        if self.method == "coupling":
            return float(coupled_rate(mean, self.budget))
        if self.method == "additive":
            return float(additive_bound(mean, 0.0))
        rho = self._order * self.budget / 2 if self.method == "gaussian moment" else self.budget
        return min(float(moment_mean([mean], [rho], [self._order])), 1.0)

    @property
    def _order(self) -> float:
        if self.order is None:
            raise ValueError(f"the composition {self.method!r} needs an order")
        return self.order

    @property
    def power(self) -> float:
        """q of E[x^q]."""
        return self._order / (self._order - 1)


def compositions(
    spent: Floats, orders: tuple[float, ...], metric: Metric
) -> tuple[Composition, ...]:
    """All that may be used, with budgets that search episodes [n, columns] suggest.

    Args:
        orders: see `orders_of`.
    """
    budgets = _budgets(spent)
    is_gaussian = bool(np.isinf(orders[0]))
    moments = () if metric == "rate" else ORDERS if is_gaussian else orders
    found = (
        [Composition("gaussian", metric, 0, budgets[0])]
        + [Composition("gaussian moment", metric, 0, budgets[0], a) for a in moments]
        if is_gaussian
        else [Composition("renyi", metric, i, budgets[i], a) for i, a in enumerate(orders)]
        + [Composition("renyi moment", metric, i, budgets[i], a) for i, a in enumerate(moments)]
    )
    additive = TV if metric == "rate" else TV_LEFT
    found += [
        Composition("coupling", metric, HAZARD, budgets[HAZARD]),
        Composition("additive", metric, additive, budgets[additive]),
    ]
    return tuple(c for c in found if np.isfinite(c.budget))


def promise(chosen: Composition, shares: Floats, spent: Floats, room: float) -> float:
    """What fresh episodes would show if they went like these.

    Args:
        shares, spent: of search episodes.
        room: how far a confidence bound will lie above the mean, as a part of the range.
    """
    mean = float(chosen.values(shares, spent).mean())
    return chosen.bound(min(mean + room * chosen.top, chosen.top))


def _budgets(spent: Floats) -> list[float]:
    largest = spent.max(axis=0)
    with np.errstate(invalid="ignore"):
        likely = spent.mean(axis=0) + DEVIATIONS * spent.std(axis=0)
    wide = np.maximum(np.nan_to_num(likely, nan=np.inf), largest * (1 + SLACK))
    return [float(b) for b in np.where(np.isfinite(largest), wide + 1e-12, np.inf)]
