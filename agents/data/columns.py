"""One column of offline data: what it may hold, and the type in which it is kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WHOLE = ("task_id", "episode_id")
FLAGS = ("terminals", "timeouts", "success")


def typed_column(name: str, column: NDArray, source: str) -> NDArray:
    """A column in its type: images as they are, numbers as float32, ids as int64, flags as bool.

    Args:
        name: its name in `OfflineData`.
        column: [N, ...]
        source: how messages call the data.

    Raises:
        ValueError: another shape or type, a number that its type does not hold, or a negative cost;
            names source, column and row.
    """
    _check_shape(name, column, source)
    if column.dtype.kind not in "biuf":
        raise ValueError(f"{source}: {name} must be numbers; got {column.dtype}")
    if "observations" in name and column.dtype == np.uint8:
        return column
    with np.errstate(invalid="ignore", over="ignore"):
        found: NDArray = column.astype(np.int64 if name in WHOLE else np.float32)
    if name in WHOLE:
        _refuse_rows(found != column, name, "must be whole numbers", column, source)
    elif name in FLAGS:
        _refuse_rows((found != 0) & (found != 1), name, "must be 0 or 1", column, source)
        return found.astype(bool)
    _refuse_rows(~np.isfinite(found), name, "must be finite in float32", column, source)
    if name == "costs":
        _refuse_rows(found < 0, name, "must be >= 0", column, source)
    return found


def _check_shape(name: str, column: NDArray, source: str) -> None:
    seen, wanted = "observations" in name, 2 if name == "actions" else 1
    if column.ndim < 2 if seen else column.ndim != wanted:
        axes = "2 axes or more" if seen else f"{wanted} axes" if wanted > 1 else "1 axis"
        raise ValueError(f"{source}: {name} must have {axes}; got shape {column.shape}")
    if 0 in column.shape[1:]:
        raise ValueError(f"{source}: {name} must have entries; got shape {column.shape}")


def _refuse_rows(wrong: NDArray, name: str, rule: str, column: NDArray, source: str) -> None:
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0])
        raise ValueError(f"{source}: {name} {rule}; row {place[0]} has {column[place]}")
