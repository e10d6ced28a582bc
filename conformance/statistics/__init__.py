"""Confidence bounds of episodic cost, and the verdicts that follow: see docs/statistics.md."""

from safer_gym.conformance.statistics.allocation import (
    EVERY,
    WORST,
    Share,
    allocate,
    delta_of,
    total,
)
from safer_gym.conformance.statistics.binomial import binomial_lower, binomial_upper
from safer_gym.conformance.statistics.bounds import Bounds
from safer_gym.conformance.statistics.dkw import dkw_cvar_upper, dkw_quantile_upper
from safer_gym.conformance.statistics.paired import (
    ENOUGH_PAIRS,
    Difference,
    paired_means,
    paired_rates,
)
from safer_gym.conformance.statistics.repeats import Repeat, repeated_run
from safer_gym.conformance.statistics.sequences import mean_sequence, rate_sequence
from safer_gym.conformance.statistics.tail_bounds import cvar_upper, quantile_upper
from safer_gym.conformance.statistics.verdicts import (
    Decision,
    Verdict,
    decide,
    first_decision,
    worst_of,
)

__all__ = [
    "ENOUGH_PAIRS",
    "EVERY",
    "WORST",
    "Bounds",
    "Decision",
    "Difference",
    "Repeat",
    "Share",
    "Verdict",
    "allocate",
    "binomial_lower",
    "binomial_upper",
    "cvar_upper",
    "decide",
    "delta_of",
    "dkw_cvar_upper",
    "dkw_quantile_upper",
    "first_decision",
    "mean_sequence",
    "paired_means",
    "paired_rates",
    "quantile_upper",
    "rate_sequence",
    "repeated_run",
    "total",
    "worst_of",
]
