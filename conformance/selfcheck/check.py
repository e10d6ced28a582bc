"""A check: a law, the code that must keep it, and wrong versions of that code that must not.

A law is a function of the code under trial. It returns its evidence in words, or raises
`Refuted`. A mutant counts as killed only when the law *refutes* it: a crash proves nothing about
the law, and shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

KILLED, SURVIVED, CRASHED = "killed", "survived", "crashed"


class Refuted(AssertionError):  # noqa: N818
    """The code under trial breaks the law; says how."""


def refute_unless(holds: Any, how: str) -> None:
    """Raise Refuted unless `holds`."""
    if not bool(holds):
        raise Refuted(how)


class Check(NamedTuple):
    """One law and those that it judges."""

    area: str
    name: str
    claim: str
    law: Callable[[Any], str]
    subject: Any
    """The code of this library."""
    mutants: Mapping[str, Any]
    """Wrong versions of it by what is wrong with them."""


class MutantResult(NamedTuple):
    """What became of a mutant."""

    mutant: str
    fate: str
    """ "killed", "survived" or "crashed"."""
    how: str


class CheckResult(NamedTuple):
    """What became of a check."""

    area: str
    name: str
    claim: str
    passed: bool
    """The library keeps the law, and every mutant was killed (and there was one)."""
    holds: bool
    """The library keeps the law."""
    evidence: str
    mutants: tuple[MutantResult, ...]
    seconds: float


def run_check(check: Check) -> CheckResult:
    """Judge the library, then every mutant."""
    started = time.perf_counter()
    fate, evidence = _judge(check.law, check.subject)
    holds = fate == SURVIVED
    mutants = tuple(
        MutantResult(name, *_judge(check.law, mutant)) for name, mutant in check.mutants.items()
    )
    killed = bool(mutants) and all(mutant.fate == KILLED for mutant in mutants)
    seconds = time.perf_counter() - started
    return CheckResult(*check[:3], holds and killed, holds, evidence, mutants, seconds)


def run_checks(
    checks: Iterable[Check], progress: Callable[[CheckResult], None] = lambda result: None
) -> list[CheckResult]:
    """Run checks in order; `progress` sees each result."""
    results = []
    for check in checks:
        results.append(run_check(check))
        progress(results[-1])
    return results


def _judge(law: Callable[[Any], str], subject: Any) -> tuple[str, str]:
    try:
        return SURVIVED, law(subject)
    except Refuted as refutation:
        return KILLED, str(refutation)
    except Exception as error:
        return CRASHED, f"{type(error).__name__}: {error}"
