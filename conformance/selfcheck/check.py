"""A check: a law, and the code that must keep it.

A law is a function of the code under trial. It returns its evidence in words, or raises
`Refuted`. Being a function of the code, it can be tried on wrong versions, too: `tests/mutants`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

HOLDS, REFUTED, CRASHED = "holds", "refuted", "crashed"


class Refuted(AssertionError):  # noqa: N818
    """The code under trial breaks the law; says how."""


def refute_unless(holds: Any, how: str) -> None:
    """Raise Refuted unless `holds`."""
    if not bool(holds):
        raise Refuted(how)


class Check(NamedTuple):
    """One law and the code that it judges."""

    area: str
    name: str
    claim: str
    law: Callable[[Any], str]
    subject: Any


class CheckResult(NamedTuple):
    """What became of a check."""

    area: str
    name: str
    claim: str
    fate: str
    """ "holds", "refuted" or "crashed"."""
    evidence: str
    seconds: float

    @property
    def passed(self) -> bool:
        """The library keeps the law."""
        return self.fate == HOLDS


def judge(law: Callable[[Any], str], subject: Any) -> tuple[str, str]:
    """What becomes of the code under a law, and how."""
    try:
        return HOLDS, law(subject)
    except Refuted as refutation:
        return REFUTED, str(refutation)
    except Exception as error:
        return CRASHED, f"{type(error).__name__}: {error}"


def run_check(check: Check) -> CheckResult:
    """Judge the library by one law."""
    started = time.perf_counter()
    fate, evidence = judge(check.law, check.subject)
    return CheckResult(*check[:3], fate, evidence, time.perf_counter() - started)
