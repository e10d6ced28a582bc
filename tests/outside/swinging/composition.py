"""A composition: the coupling with twice the budget, sound and useless."""

from __future__ import annotations

from safer_gym.bounds import coupled_rate
from safer_gym.conformance.certify.compositions import Coupling, register


@register
class Cautious(Coupling):
    """p + 1 - exp(-2 L)."""

    method = "cautious"
    title = "cautious coupling"

    def bound(self, mean: float) -> float:
        return float(coupled_rate(mean, 2 * self.budget))
