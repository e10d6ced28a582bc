"""This installation tried against closed forms. `safer-gym selfcheck` prints it.

It finds an installation whose numbers are wrong: other versions of its dependencies, another
machine. That the laws themselves reject wrong code is the matter of `tests/mutants`.
"""

from safer_gym.conformance.selfcheck.check import Check, CheckResult, Refuted
from safer_gym.conformance.selfcheck.suite import AREAS, CHECKS, SelfcheckReport, selfcheck

__all__ = ["AREAS", "CHECKS", "Check", "CheckResult", "Refuted", "SelfcheckReport", "selfcheck"]
