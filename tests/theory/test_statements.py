"""Every statement of the theory on random problems: no violation, and not by luck."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import STATEMENTS, Comparison, Statement, material, try_statement, try_theory

SOLVED = material(1200, seed=1)
NAMES = [statement.name for statement in STATEMENTS]


@cache
def found_by(statement: Statement) -> Comparison:
    """What a statement says of the problems, for the tests that share it."""
    return statement.run(SOLVED)


@pytest.mark.parametrize("statement", STATEMENTS, ids=NAMES)
def test_it_holds_and_its_trial_has_power(
    statement: Statement, record_property: pytest.FixtureRequest
) -> None:
    row = try_statement(statement._replace(run=lambda solved: found_by(statement)), SOLVED)
    record_property("ratio", f"median {row.median:.3f}, largest {row.largest:.4f}")
    print(f"{row.name}: {row.violations} of {row.instances}; largest ratio {row.largest:.4f}")
    assert row.violations == 0
    assert row.holds, f"the largest ratio is {row.largest:.3f}, below {row.floor}: no power"


@given(st.integers(0, 2**31))
@settings(max_examples=5)
def test_other_problems_have_no_violation_either(seed: int) -> None:
    rows, observed = try_theory(60, seed)
    assert [row.name for row in rows if row.violations] == []
    assert observed["share where MC is optimal"] > 0.7


@pytest.mark.parametrize("statement", STATEMENTS, ids=NAMES)
def test_a_bound_below_the_truth_is_seen(statement: Statement) -> None:
    """Shrink what each statement allows by its own floor: some instance must notice."""
    found = found_by(statement)
    shrink = min(0.9, 0.9 * statement.floor) if statement.label == "proved" else 0.4
    smaller = found._replace(bound=found.base + shrink * (found.bound - found.base))
    assert smaller.violated.any()


def test_a_loose_bound_shows() -> None:
    loose = Statement("loose", "", lambda solved: Comparison(np.array([1.0]), np.array([3.0])), 0.9)
    row = try_statement(loose, SOLVED)
    assert row.violations == 0
    assert not row.holds
    assert try_statement(loose._replace(label="printed"), SOLVED).holds


def test_comparisons_count_and_measure() -> None:
    found = Comparison(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.9]), 1.0)
    assert found.violated.tolist() == [False, False, True]
    np.testing.assert_allclose(found.ratios, [0.0, 1.0, 2 / 1.9])
    equal = found._replace(equal=True)
    assert equal.violated.tolist() == [True, False, True]
    assert Comparison(np.array([np.nan]), np.array([1.0])).violated.all()
    assert Comparison(np.array([1.0]), np.array([np.inf])).ratios.size == 0
