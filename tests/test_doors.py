"""docs/doors.md says what takes what; every cell of it is tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from doors_table import (
    PAGE,
    POLICY_DOORS,
    REFUSES,
    ROWS,
    TRAINING_DOORS,
    TRAININGS,
    WORKS,
    Cell,
    Row,
    answer,
    prepared,
    unclear,
)

MARKS = {"✓": WORKS, "–": REFUSES}


@pytest.fixture(scope="module", autouse=True)
def models() -> Iterator[None]:
    with prepared():
        yield


def written() -> dict[tuple[str, ...], list[str]]:
    """The page's marks, by observations, actions and title; rows that are alike in order."""
    found: dict[tuple[str, ...], list[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if line.startswith("| ") and cells[-1] in MARKS:
            found[tuple(cells[:3])] = [MARKS[mark] for mark in cells[3:]]
    return found


CASES = [
    pytest.param(row, doors, id=f"{row.policy}-{row.obs}-{row.action}")
    for rows, doors in ((ROWS, POLICY_DOORS), (TRAININGS, TRAINING_DOORS))
    for row in rows
]


@pytest.mark.slow
@pytest.mark.parametrize(("row", "doors"), CASES)
def test_no_cell_is_worse_than_the_page_says_and_each_refusal_is_one_clear_line(
    row: Row, doors: dict[str, Any]
) -> None:
    """A cell that has become better than the page is for the page's next version."""
    cells = {name: answer(door, row) for name, door in doors.items()}
    faults = {name: (unclear(cell), cell.said) for name, cell in cells.items() if unclear(cell)}
    assert not faults
    told = dict(zip(doors, written()[row.obs, row.action, row.title], strict=True))
    worse = [name for name in doors if (told[name], cells[name].status) == (WORKS, REFUSES)]
    assert not worse, [cells[name].said for name in worse]


@pytest.mark.parametrize(
    ("said", "fault"),
    [("a\nb", "more than one line"), ("no", "no sentence"), ("one two three four five six", "")],
)
def test_a_refusal_that_is_unclear_is_seen(said: str, fault: str) -> None:
    assert unclear(Cell(REFUSES, said)) == fault


def test_another_error_than_a_refusal_is_not_caught() -> None:
    def broken(row: Row) -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        answer(broken, ROWS[0])


def test_the_page_has_every_row() -> None:
    assert set(written()) == {(row.obs, row.action, row.title) for row in (*ROWS, *TRAININGS)}
