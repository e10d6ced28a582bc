"""Random and attaining problems, solved exactly: what the statements of the theory meet."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from theory import Comparison, Material, material
from theory.comparison import joined
from theory.examples import cheap_action_case, late_arrival_case
from theory.facts import facts_of

from safer_gym.conformance.selfcheck.check import refute_unless

PROBLEMS = 600

Statement = Callable[[Any], Comparison]


@cache
def solved() -> Material:
    """Random problems, the attaining ones, and counterexamples to wrong versions."""
    found = material(PROBLEMS, seed=0)
    refuting = [facts_of(cheap_action_case()), facts_of(late_arrival_case())]
    return found._replace(facts=found.facts + refuting)


def tight(statement: Statement, parts: list[Any], floor: float) -> str:
    """No bound is below the truth, and one of them comes as near as `floor`: evidence in words."""
    found = joined([statement(part) for part in parts])
    broken = int(found.violated.sum())
    refute_unless(not broken, f"violated in {broken} of {found.truth.size} instances")
    largest = float(found.ratios.max())
    refute_unless(largest >= floor, f"never nearer than {largest:.3f} to the truth: no power")
    return f"{found.truth.size} instances, ratio up to {largest:.4f}"


def formula(statement: Any, formula: Any) -> Statement:
    """The statement with another formula in the place of its own."""
    return lambda facts: statement(facts, formula)
