"""How far a coarse grid can be believed: the world's own steps on a grid, and play from its cells.

    python -m experiments.drac.grid_iteration cart-pole

V = min{h, max over u, min over d of V(x')} in discrete time, between cells by interpolation, which
errs towards safe; the sets of `oracle.py` come from another method, which errs towards unsafe.
Where the two differ, play tells: the control that is greedy in V against the greedy disturbance.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from experiments.drac.learned_set import exact_set
from experiments.drac.oracle import PROBLEMS, agreement
from safer_gym.wrappers.worlds.world import World

Floats = NDArray[np.float64]


class GridValue(NamedTuple):
    """V on a regular grid around zero; beyond, that of the nearest cell."""

    half: Floats
    """Half-width in each dimension [S]."""
    values: Floats
    """[cells...]."""

    def at(self, states: Floats) -> Floats:
        """V of states [..., S], by linear interpolation."""
        cells = np.array(self.values.shape)
        places = (states + self.half) / (2 * self.half) * (cells - 1)
        flat = places.reshape(-1, len(cells)).T
        return map_coordinates(self.values, flat, order=1, mode="nearest").reshape(
            states.shape[:-1]
        )


def iterate(
    world: World,
    half: Sequence[float],
    cells: Sequence[int],
    *,
    controls: int = 3,
    most: int = 400,
    tolerance: float = 1e-3,
) -> GridValue:
    """V, iterated until it falls by less than `tolerance`, or `most` times.

    Args:
        world: the dynamics, the constraint and the boxes.
        half, cells: of the grid.
        controls: how many between the ends of the box; disturbances are its ends.
    """
    axes = [np.linspace(-h, h, n) for h, n in zip(half, cells, strict=True)]
    states = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    margin = world.margin(states)
    value = GridValue(np.asarray(half, np.float64), margin)
    ways = _ways(world, states, controls)
    for _ in range(most):
        best = np.max([np.min([value.at(x) for x in answers], axis=0) for answers in ways], axis=0)
        following = np.minimum(margin, best)
        change = float(np.abs(following - value.values).max())
        value = value._replace(values=following)
        if change < tolerance:
            break
    return value


def kept_safe(
    world: World, value: GridValue, states: Floats, *, steps: int, controls: int = 5
) -> Floats:
    """Lowest h of each play from `states` [B, S]: both sides greedy in V; [B]."""
    rows, lowest = np.arange(len(states)), world.margin(states)
    for _ in range(steps):
        ways = _ways(world, states, controls)
        values = np.array([[value.at(x) for x in answers] for answers in ways])
        control = values.min(axis=1).argmax(axis=0)
        disturbance = values[control, :, rows].argmin(axis=1)
        states = np.array(ways)[control, disturbance, rows]
        lowest = np.minimum(lowest, world.margin(states))
    return lowest


def _ways(world: World, states: Floats, controls: int) -> list[list[Floats]]:
    """The next states [..., S] by control, then by disturbance."""
    limits = world.action_space.high, world.disturbance_space.high  # type: ignore[attr-defined]
    most, push = (np.asarray(high, np.float64) for high in limits)
    shape = states.shape[:-1]

    def of(unit: Sequence[float], high: Floats) -> Floats:
        return np.broadcast_to(np.asarray(unit) * high, (*shape, len(high)))

    return [
        [
            world.advance(states, of(u, most), of(d, push))
            for d in product((-1.0, 1.0), repeat=len(push))
        ]
        for u in product(np.linspace(-1, 1, controls), repeat=len(most))
    ]


def main() -> None:
    """Hold the two grids against each other, and play where they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", choices=sorted(PROBLEMS))
    parser.add_argument("--cells", type=int, default=29, help="in each dimension")
    parser.add_argument("--plays", type=int, default=1000, help="from cells where they differ")
    parser.add_argument("--steps", type=int, default=200, help="of a play")
    arguments = parser.parse_args()
    world, known = PROBLEMS[arguments.world].world(), exact_set(arguments.world)
    assert known is not None
    value = iterate(world, known.half.tolist(), [arguments.cells] * len(known.half))
    states = known.states()
    found = value.at(states) >= 0
    print(agreement(found, known.inside))
    only = states[found & ~known.inside]
    rng = np.random.default_rng(0)
    drawn = only[rng.integers(len(only), size=arguments.plays)]
    lowest = kept_safe(world, value, drawn, steps=arguments.steps)
    print(f"{len(only)} cells are in this set alone; kept safe from {(lowest >= 0).mean():.1%}")


if __name__ == "__main__":
    main()
