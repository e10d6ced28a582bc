"""Do episodes repeat others in order, as the numbers of a generator do that is copied?

Independent episodes may be alike by chance, all of them where nothing is random. But given how
often each value occurs, all orders of independent values are equally likely. So value j equals the
one k places before it with the probability left / (n - j), where `left` of the n - j values that
are not yet seen are of that kind. One over the product of these, along a run that repeats, is a
test martingale: it exceeds x with probability 1 / x at most (Ville). There are fewer than n^2 / 2
pairs of places where such a run can begin.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FALSE_ALARM = 1e-6
"""At most, of independent episodes."""


class Repeat(NamedTuple):
    """Episodes first ... first + length - 1 are once more there from `again` on."""

    first: int
    again: int
    length: int


def repeated_run(values: Sequence[Any] | NDArray) -> Repeat | None:
    """The longest run of values that comes again, if chance would hardly make one so long."""
    kinds, codes = np.unique(np.asarray(values), return_inverse=True)
    n = len(codes)
    if len(kinds) == n:
        return None
    longest = _longest(codes)
    places = range(longest.again, longest.again + longest.length)
    left = _left(codes.tolist())
    evidence = sum(math.log((n - j) / left[j]) for j in places)
    return longest if evidence > math.log(n * n / 2 / FALSE_ALARM) else None


def _left(codes: list[int]) -> list[int]:
    """How many values from each place on are of the kind that is there."""
    seen: Counter[int] = Counter()
    found = []
    for code in reversed(codes):
        seen[code] += 1
        found.append(seen[code])
    return found[::-1]


def _longest(codes: NDArray[np.int64]) -> Repeat:
    best = Repeat(0, 0, 0)
    for shift in range(1, len(codes)):
        if len(codes) - shift <= best.length:
            break
        differs = np.flatnonzero(codes[shift:] != codes[:-shift])
        edges = np.concatenate([[-1], differs, [len(codes) - shift]])
        lengths = np.diff(edges) - 1
        k = int(lengths.argmax())
        if lengths[k] > best.length:
            start = int(edges[k]) + 1
            best = Repeat(start, start + shift, int(lengths[k]))
    return best
