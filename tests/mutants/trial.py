"""A trial: a law, the code that must keep it, and wrong versions of that code that must not.

A mutant counts as killed only when the law *refutes* it: a crash proves nothing about the law.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from safer_gym.conformance.selfcheck.check import Check


class Trial(NamedTuple):
    """One law and those that it judges."""

    area: str
    name: str
    claim: str
    law: Callable[[Any], str]
    subject: Any
    """The code of this library."""
    mutants: Mapping[str, Any]
    """Wrong versions of it by what is wrong with them."""


def of(check: Check, mutants: Mapping[str, Any]) -> Trial:
    """The trial of a check that `safer-gym selfcheck` has."""
    return Trial(*check, mutants)
