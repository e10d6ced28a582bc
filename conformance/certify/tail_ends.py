"""Upper bounds of the bad end of the cost's distribution, valid wherever the measurement stops."""

from __future__ import annotations

from safer_gym.conformance.certificate.requirement import Mode
from safer_gym.conformance.certify.ledger import Ledger
from safer_gym.conformance.evaluate.outcomes import Floats
from safer_gym.conformance.statistics import WORST, cvar_upper, quantile_upper

LEVEL = 0.95


def tail_bounds(
    ledger: Ledger, mode: Mode, eps: float, costs: Floats
) -> tuple[float | None, float | None]:
    """Of the 95 % quantile, and of the mean of the worst 5 %; None without a largest cost."""
    if ledger.high is None:
        return None, None
    quantile, cvar = (ledger.spendable(mode, eps, WORST, m) for m in ("quantile", "cvar"))
    return (
        quantile_upper(costs, LEVEL, quantile, ledger.high),
        cvar_upper(costs, LEVEL, cvar, ledger.high),
    )
