"""All checks, and what a run of them says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from safer_gym.choices import choose
from safer_gym.conformance.provenance import versions
from safer_gym.conformance.selfcheck import (
    attacks,
    balls,
    compositions,
    counted_bounds,
    enclosures,
    episodic_theory,
    filters,
    gates,
    oracle,
    printed_theorems,
    running_bounds,
    theory,
)
from safer_gym.conformance.selfcheck.check import KILLED, Check, CheckResult, run_checks

CHECKS: tuple[Check, ...] = (
    *balls.CHECKS,
    *attacks.CHECKS,
    *oracle.CHECKS,
    *theory.CHECKS,
    *printed_theorems.CHECKS,
    *episodic_theory.CHECKS,
    *compositions.CHECKS,
    *filters.CHECKS,
    *enclosures.CHECKS,
    *counted_bounds.CHECKS,
    *running_bounds.CHECKS,
    *gates.CHECKS,
)
AREAS = tuple(dict.fromkeys(check.area for check in CHECKS))

SCHEMA = "safer-gym/selfcheck/1"


class SelfcheckReport(NamedTuple):
    """Results of a run."""

    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Every check passed, and there was one."""
        return bool(self.results) and all(result.passed for result in self.results)

    @property
    def mutants(self) -> tuple[int, int]:
        """How many mutants were killed, of how many."""
        fates = [mutant.fate for result in self.results for mutant in result.mutants]
        return fates.count(KILLED), len(fates)

    def to_json(self) -> dict[str, Any]:
        """One document for machines."""
        killed, total = self.mutants
        return {
            "schema": SCHEMA,
            "passed": self.passed,
            "checks": [
                {**result._asdict(), "mutants": [mutant._asdict() for mutant in result.mutants]}
                for result in self.results
            ],
            "mutants": {"killed": killed, "total": total},
            "seconds": sum(result.seconds for result in self.results),
            "versions": versions(),
        }


def selfcheck(
    areas: Sequence[str] | None = None,
    progress: Callable[[CheckResult], None] = lambda result: None,
) -> SelfcheckReport:
    """Does this installation keep its own laws, and would the checks notice if it did not?

    Args:
        areas: some of `AREAS`; default: all.
        progress: sees each result as it comes.

    Raises:
        ValueError: for an unknown area.
    """
    chosen = AREAS if areas is None else [choose("areas", area, AREAS) for area in areas]
    checks = (check for check in CHECKS if check.area in chosen)
    return SelfcheckReport(tuple(run_checks(checks, progress)))
