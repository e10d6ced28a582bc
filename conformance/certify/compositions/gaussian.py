"""Constant Gaussian noise: budgets of squared mean shifts in deviations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from safer_gym.bounds import ORDERS, gaussian_filter
from safer_gym.conformance.certificate.requirement import Metric
from safer_gym.conformance.certify.compositions.composition import Composition, Sums
from safer_gym.conformance.certify.compositions.moments import moment_bound, power_of
from safer_gym.conformance.evaluate.outcomes import Floats


class Gaussian(Composition):
    """The Gaussian filter: Phi(Phi^-1(p) + M)."""

    method = "gaussian"
    title = "Gaussian filter"

    @classmethod
    def candidates(cls, sums: Sums, metric: Metric) -> Iterator[Composition]:
        """One, where the noise is constant."""
        if sums.has_constant_noise:
            yield cls(metric, 0, sums.budgets[0])

    @property
    def shift(self) -> float:
        """M."""
        return float(np.sqrt(self.budget))

    def bound(self, mean: float) -> float:
        """Phi(Phi^-1(mean) + M)."""
        return float(gaussian_filter(mean, self.shift))


class GaussianMoment(Composition):
    """Hoelder's inequality for the mean cost, with the Renyi divergence a M^2 / 2 of order a."""

    method = "gaussian moment"
    title = "Gaussian moments"

    @classmethod
    def candidates(cls, sums: Sums, metric: Metric) -> Iterator[Composition]:
        """One for each order, of the mean cost, where the noise is constant."""
        if sums.has_constant_noise and metric == "mean":
            yield from (cls(metric, 0, sums.budgets[0], order) for order in ORDERS)

    @property
    def shift(self) -> float:
        """M."""
        return float(np.sqrt(self.budget))

    def values(self, shares: Floats, spent: Floats) -> Floats:
        """Shares to the power of q."""
        return super().values(shares, spent) ** power_of(self)

    def bound(self, mean: float) -> float:
        """(e^rho E[x^q])^(1/q)."""
        return moment_bound(self, mean, lambda order: order * self.budget / 2)
