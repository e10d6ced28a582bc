"""All checks, and what a run of them says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from safer_gym.choices import choose
from safer_gym.conformance.provenance import versions
from safer_gym.conformance.selfcheck import (
    attacks,
    balls,
    counts,
    enclosures,
    gaussians,
    printed_theorems,
)
from safer_gym.conformance.selfcheck.check import Check, CheckResult, run_check
from safer_gym.progress import told_as

CHECKS: tuple[Check, ...] = (
    *balls.CHECKS,
    *attacks.CHECKS,
    *gaussians.CHECKS,
    *enclosures.CHECKS,
    *printed_theorems.CHECKS,
    *counts.CHECKS,
)
AREAS = tuple(dict.fromkeys(check.area for check in CHECKS))

SCHEMA = "safer-gym/selfcheck/2"


class SelfcheckReport(NamedTuple):
    """Results of a run."""

    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Every check passed, and there was one."""
        return bool(self.results) and all(result.passed for result in self.results)

    def to_json(self) -> dict[str, Any]:
        """One document for machines."""
        return {
            "schema": SCHEMA,
            "passed": self.passed,
            "checks": [{**result._asdict(), "passed": result.passed} for result in self.results],
            "seconds": sum(result.seconds for result in self.results),
            "versions": versions(),
        }


def selfcheck(
    areas: Sequence[str] | None = None,
    progress: Callable[[CheckResult], None] | bool | None = None,
) -> SelfcheckReport:
    """Does this installation give the numbers of the closed forms?

    Args:
        areas: some of `AREAS`; default: all.
        progress: True shows a bar; a function sees each result as it comes.

    Raises:
        ValueError: for an unknown area.
    """
    chosen = AREAS if areas is None else [choose("areas", area, AREAS) for area in areas]
    checks = [check for check in CHECKS if check.area in chosen]
    results: list[CheckResult] = []
    with told_as(progress, "selfcheck", lambda result: len(results) / len(checks)) as telling:
        for check in checks:
            results.append(run_check(check))
            telling(results[-1])
    return SelfcheckReport(tuple(results))
