"""The learned robust invariant set held against the exact one.

In the set is what the run-time switch calls safe: where V_h is at least its margin.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from experiments.drac.oracle import GridSet, agreement, load
from safer_gym.wrappers.worlds.double_integrator import in_robust_set

ROWS = 4096
"""States that a network is asked about at once."""
SLICES: dict[str, tuple[int, int]] = {"double-integrator": (0, 1), "cart-pole": (0, 2)}
"""The two dimensions of the picture; the others are zero there."""
CLOSED_FORM = ("double-integrator",)
"""Whose set is known exactly; another grid says how much a grid can err (`grid_iteration.py`)."""
NAMES = {
    "double-integrator": ("place x1 (m)", "speed x2 (m/s)"),
    "cart-pole": ("place x (m)", "angle (rad)"),
}


def exact_set(task: str) -> GridSet | None:
    """The exact set on its grid: in closed form where there is one, else by reachability; None:
    nothing is known."""
    if task not in SLICES:
        return None
    grid = load(task)
    if task in CLOSED_FORM:
        return grid._replace(inside=in_robust_set(grid.states()))
    return grid


def learned_set(model: Any, task: str) -> dict[str, Any] | None:
    """How the set of a model with `q_safety` agrees with the exact one, and its slice for a
    picture; None where there is neither."""
    exact = exact_set(task)
    if exact is None or not callable(getattr(model, "q_safety", None)):
        return None
    try:
        found = _inside(model, exact)
    except ValueError:  # a model that learned without a constraint
        return None
    shown = slice_of(exact._replace(inside=found), SLICES[task]).inside
    bits = base64.b64encode(np.packbits(shown).tobytes()).decode()
    return {**agreement(found, exact.inside), "slice": bits}


def slice_of(grid: GridSet, dimensions: tuple[int, int]) -> GridSet:
    """The set in the plane of two dimensions, where all others are zero."""
    places = tuple(
        slice(None) if axis in dimensions else size // 2
        for axis, size in enumerate(grid.inside.shape)
    )
    return GridSet(grid.half[list(dimensions)], grid.inside[places])


def from_bits(bits: str, like: GridSet) -> GridSet:
    """A recorded slice."""
    packed = np.frombuffer(base64.b64decode(bits), np.uint8)
    cells = np.unpackbits(packed, count=like.inside.size).reshape(like.inside.shape)
    return like._replace(inside=cells.astype(bool))


def _inside(model: Any, grid: GridSet) -> np.ndarray:
    states = grid.states().reshape(-1, len(grid.half)).astype(np.float32)
    parts = [states[i : i + ROWS] for i in range(0, len(states), ROWS)]
    values = np.concatenate([np.asarray(model.q_safety(part)).reshape(-1) for part in parts])
    return (values >= model.shield_margin).reshape(grid.inside.shape)
