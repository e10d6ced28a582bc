"""What became of a claim."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

Verdict = Literal["holds", "does not hold", "undecided", "not run", "no numbers"]
MARKS: dict[Verdict, str] = {
    "holds": "✓",
    "does not hold": "✕",
    "undecided": "?",
    "not run": "–",
    "no numbers": "–",
}


class Finding(NamedTuple):
    """A verdict and the numbers that it rests on."""

    verdict: Verdict
    numbers: str


def tried(test: Callable[[], tuple[bool, str]], missing: Verdict = "not run") -> Finding:
    """The verdict of a test; a KeyError of its says which numbers there are not."""
    try:
        holds, numbers = test()
    except KeyError as error:
        return Finding(missing, error.args[0])
    return Finding("holds" if holds else "does not hold", numbers)
