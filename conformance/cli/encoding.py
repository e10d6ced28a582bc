"""On a terminal that cannot show every letter, the verdict is printed in plain letters."""

from __future__ import annotations

import codecs
import sys

PLAIN = {
    "±": "+/-",
    "ε": "eps",
    "δ": "delta",
    "≤": "<=",
    "≥": ">=",
    "–": "-",
    "—": "-",
    "×": "x",
    "∞": "inf",
    "\u00a0": " ",
    "…": "...",
}
"""Letters of the tables and sentences, in ASCII; others become "?"."""

_NAME = "safer_gym.plain"


def print_anywhere() -> None:
    """From now on no letter that the terminal does not know ends a command."""
    codecs.register_error(_NAME, _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_NAME)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(PLAIN.get(letter, "?") for letter in letters), error.end
