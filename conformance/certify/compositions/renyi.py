"""Noise that depends on the state: budgets of Renyi divergences of one order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from safer_gym.bounds import renyi_filter
from safer_gym.conformance.certificate.requirement import Metric
from safer_gym.conformance.certify.compositions.composition import Composition, Sums
from safer_gym.conformance.certify.compositions.moments import moment_bound, order_of, power_of
from safer_gym.conformance.evaluate.outcomes import Floats


class Renyi(Composition):
    """The most that a Renyi divergence of one order allows."""

    method = "renyi"
    title = "Renyi filter"

    @classmethod
    def candidates(cls, sums: Sums, metric: Metric) -> Iterator[Composition]:
        """One for each order."""
        if not sums.has_constant_noise:
            for column, order in enumerate(sums.orders):
                yield cls(metric, column, sums.budgets[column], order)

    @property
    def shift(self) -> float:
        """sqrt(2 rho / a)."""
        return float(np.sqrt(2 * self.budget / order_of(self)))

    def bound(self, mean: float) -> float:
        """The Renyi filter of one order."""
        return float(renyi_filter(mean, [self.budget], [order_of(self)]))


class RenyiMoment(Composition):
    """Hoelder's inequality for the mean cost, with a budget of the divergence itself."""

    method = "renyi moment"
    title = "Renyi moments"

    @classmethod
    def candidates(cls, sums: Sums, metric: Metric) -> Iterator[Composition]:
        """One for each order, of the mean cost."""
        if not sums.has_constant_noise and metric == "mean":
            for column, order in enumerate(sums.orders):
                yield cls(metric, column, sums.budgets[column], order)

    @property
    def shift(self) -> float:
        """sqrt(2 rho / a)."""
        return float(np.sqrt(2 * self.budget / order_of(self)))

    def values(self, shares: Floats, spent: Floats) -> Floats:
        """Shares to the power of q."""
        return super().values(shares, spent) ** power_of(self)

    def bound(self, mean: float) -> float:
        """(e^rho E[x^q])^(1/q)."""
        return moment_bound(self, mean, lambda order: self.budget)
