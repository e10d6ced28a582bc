"""What no argument of a kind may be, and what it may be in numpy's types."""

from __future__ import annotations

from typing import Any

import numpy as np

NAN, INF = float("nan"), float("inf")
NO_NUMBERS: list[Any] = ["0.5", "1", "False", "", b"1", [], {}, 1j, object(), NAN, True, np.True_]
FRACTIONS: list[Any] = [1.5, 0.25, np.float64(2.5), INF]
NOT_BELOW_ZERO: list[Any] = [-1, -1.0, np.float32(-0.5), -INF]

BAD: dict[str, list[Any]] = {
    "any_number": NO_NUMBERS,
    "number": [*NO_NUMBERS, INF, -INF],
    "positive": [*NO_NUMBERS, *NOT_BELOW_ZERO, 0, 0.0, INF],
    "not_negative": [*NO_NUMBERS, *NOT_BELOW_ZERO, INF],
    "cap": [*NO_NUMBERS, *NOT_BELOW_ZERO],
    "share": [*NO_NUMBERS, *NOT_BELOW_ZERO, 5, 1.01, INF],
    "share_above_zero": [*NO_NUMBERS, *NOT_BELOW_ZERO, 5, 1.01, INF, 0],
    "below_one": [*NO_NUMBERS, *NOT_BELOW_ZERO, 5, 1, 1.0, INF],
    "probability": [*NO_NUMBERS, *NOT_BELOW_ZERO, 5, 1, 0, 1.0, INF],
    "count": [*NO_NUMBERS, *NOT_BELOW_ZERO, *FRACTIONS],
    "at_least_one": [*NO_NUMBERS, *NOT_BELOW_ZERO, *FRACTIONS, 0],
    "seed": [*NO_NUMBERS, *NOT_BELOW_ZERO, *FRACTIONS, 2**70],
    "flag": ["False", "True", "no", "", 0, 2, 1.0, [], NAN, object()],
    "name": ["nosuch", "", 5, [], True, 1.5, object()],
    "radii": [*NO_NUMBERS, *NOT_BELOW_ZERO, INF, [[]], [NAN], ["0.1"], [-0.1], [0.1] * 99],
    "free_radii": [*NO_NUMBERS, *NOT_BELOW_ZERO, INF, [[]], [NAN], ["0.1"], [-0.1]],
    "gains": [*NO_NUMBERS, 1, (0.1, 0.1), (0.1, 0.1, NAN), (-1, 0, 0), (0, 0, "0"), (0, 0, True)],
}
"""By kind of argument. None is bad where it is no default."""

TEXTS: dict[str, list[str]] = {
    "number": ["nan", "inf", "-inf", "abc", "", "True", "1e999", "1,2"],
    "positive": ["nan", "inf", "abc", "", "-1", "0", "True"],
    "not_negative": ["nan", "inf", "abc", "", "-1", "-0.5", "True"],
    "count": ["nan", "abc", "", "-1", "1.5", "True", "99999999999999999999999"],
    "at_least_one": ["nan", "abc", "", "-1", "1.5", "True", "0"],
    "seed": ["nan", "abc", "", "-1", "1.5", "True", "99999999999999999999999"],
    "name": ["nosuch", "5", "MC ", "--", "\x1b[2J", "a" * 5000, "ö\u202e"],
    "radii": ["nan", "inf", "-0.1", "abc", "0.1;0.2", "0.1,,x", "True", "0.1,-1"],
    "budget": ["nan", "inf", "-1", "0", "abc", "1e9", "5 days", "True"],
    "path": ["/no/such/file", "/", "\x01", "a" * 5000, "/dev/null"],
}
"""By kind of a command's option."""


def good(value: Any) -> list[Any]:
    """The same value in numpy's types."""
    if isinstance(value, bool):
        return [np.bool_(value)]
    if isinstance(value, int):
        return [np.int64(value), np.int32(value)]
    if isinstance(value, float):
        return [np.float64(value), np.float32(value)]
    return []
