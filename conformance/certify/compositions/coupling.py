"""(B): benign and attacked episode run alike until they part; budgets of hazards -log(1 - TV)."""

from __future__ import annotations

from collections.abc import Iterator

from safer_gym.bounds import coupled_rate
from safer_gym.conformance.certificate.requirement import Metric
from safer_gym.conformance.certify.compositions.composition import Composition, Sums
from safer_gym.conformance.certify.divergence import HAZARD


class Coupling(Composition):
    """p + 1 - exp(-L)."""

    method = "coupling"
    title = "coupling (B)"

    @classmethod
    def candidates(cls, sums: Sums, metric: Metric) -> Iterator[Composition]:
        """One, for every policy."""
        yield cls(metric, HAZARD, sums.budgets[HAZARD])

    def bound(self, mean: float) -> float:
        """The benign share, and the chance to part."""
        return float(coupled_rate(mean, self.budget))
