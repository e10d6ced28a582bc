"""Programs that were exported for a fixed number of observations at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def in_batches_of(
    size: int | None, function: Callable[[NDArray], NDArray], obs: NDArray
) -> NDArray:
    """`function` of all rows, called with `size` of them at a time; None takes any number.

    The last call is filled up with copies of its last row.
    """
    if size is None:
        return function(obs)
    answers = []
    for first in range(0, len(obs), size):
        rows = obs[first : first + size]
        missing = size - len(rows)
        filled = np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)])
        answers.append(function(filled)[: len(rows)])
    return np.concatenate(answers)
