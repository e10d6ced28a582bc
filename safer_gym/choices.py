"""One way to refuse an unknown option: name it, the choices, and the nearest one."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T", bound=str)
LONGEST = 100
"""Characters of a value that a near choice is sought for."""


def choose(argument: str, value: object, options: Iterable[T]) -> T:
    """Return `value` if it is one of `options`.

    >>> choose("norm", "linf", ["l1", "l2", "linf"])
    'linf'
    >>> choose("norm", "inf", ["l1", "l2", "linf"])
    Traceback (most recent call last):
    ValueError: norm must be one of 'l1', 'l2', 'linf'; got 'inf'. Did you mean 'linf'?

    Raises:
        ValueError: names the argument, the value, the choices and the nearest choice.
    """
    options = tuple(options)
    for option in options:
        if isinstance(value, str) and value == option:
            return option
    text = value if isinstance(value, str) else ""
    near = get_close_matches(text[:LONGEST], options, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    known, came = ", ".join(map(repr, options)), reprlib.repr(value)
    raise ValueError(f"{argument} must be one of {known}; got {came}.{hint}")
