"""The library tried against closed forms, exact problems, and wrong versions of itself.

`selfcheck()` passes only if every law holds and every mutant, a wrong version of the code that the
law is about, is refuted by it. `safer-gym selfcheck` prints it.
"""

from safer_gym.conformance.selfcheck.check import Check, CheckResult, MutantResult, Refuted
from safer_gym.conformance.selfcheck.suite import AREAS, CHECKS, SelfcheckReport, selfcheck

__all__ = [
    "AREAS",
    "CHECKS",
    "Check",
    "CheckResult",
    "MutantResult",
    "Refuted",
    "SelfcheckReport",
    "selfcheck",
]
