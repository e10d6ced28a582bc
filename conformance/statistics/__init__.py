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
from safer_gym.conformance.statistics.sequences import mean_sequence, rate_sequence
from safer_gym.conformance.statistics.verdicts import Decision, Verdict, decide, first_decision

__all__ = [
    "EVERY",
    "WORST",
    "Bounds",
    "Decision",
    "Share",
    "Verdict",
    "allocate",
    "binomial_lower",
    "binomial_upper",
    "decide",
    "delta_of",
    "first_decision",
    "mean_sequence",
    "rate_sequence",
    "total",
]
