"""A wrong version of the product as a small change of one source file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]


class Mutant(NamedTuple):
    """One change, and the tests that must turn red."""

    file: str
    old: str
    """Is in the file exactly once."""
    new: str
    tests: tuple[str, ...]
    """Files or node ids, the most telling first."""

    def applied(self, text: str) -> str:
        """The file with the change.

        Raises:
            ValueError: the text to change is not there exactly once.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} has {self.old!r} {text.count(self.old)} times, not once")
        return text.replace(self.old, self.new)
