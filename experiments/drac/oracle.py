"""Robust invariant sets on a grid, by Hamilton-Jacobi reachability in continuous time.

    python -m experiments.drac.oracle cart-pole --out experiments/drac/sets

needs the package hj-reachability (and so JAX); what it writes needs neither. A state is in the set
where no disturbance enforces h < 0 against the best control, for a horizon of several seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from safer_gym.choices import choose
from safer_gym.wrappers.worlds import cart_pole, double_integrator
from safer_gym.wrappers.worlds.cart_pole import CartPole
from safer_gym.wrappers.worlds.double_integrator import DoubleIntegrator
from safer_gym.wrappers.worlds.world import World


class Problem(NamedTuple):
    """A world in continuous time: x' = drift(x) + gain(x) (u + d)."""

    world: Callable[[], World]
    drift: Callable[[Any, Any], Any]
    """From (jax.numpy, x) to the velocity without forces."""
    gain: Callable[[Any, Any], Any]
    """And to the change by one unit of control, or of disturbance."""
    half: tuple[float, ...]
    """Half-width of the grid in each dimension; beyond, nothing is said."""
    cells: tuple[int, ...]
    seconds: float


def _free(xp: Any, state: Any) -> Any:
    return xp.stack([state[1], 0.0 * state[1]])


def _push(xp: Any, state: Any) -> Any:
    return xp.array([0.0, 1.0])


def _swing(xp: Any, state: Any, force: float) -> Any:
    _, v, angle, spin = state
    sin, cos = xp.sin(angle), xp.cos(angle)
    total, lever = cart_pole.CART + cart_pole.POLE, cart_pole.POLE * cart_pole.HALF_LENGTH
    pushed = (force + lever * spin**2 * sin) / total
    inertia = cart_pole.HALF_LENGTH * (4 / 3 - cart_pole.POLE * cos**2 / total)
    turned = (cart_pole.GRAVITY * sin - cos * pushed) / inertia
    return xp.stack([v, pushed - lever * turned * cos / total, spin, turned])


PROBLEMS = {
    "double-integrator": Problem(DoubleIntegrator, _free, _push, (6.0, 4.0), (121, 121), 20.0),
    "cart-pole": Problem(
        CartPole,
        lambda xp, state: _swing(xp, state, 0.0),
        lambda xp, state: _swing(xp, state, cart_pole.FORCE) - _swing(xp, state, 0.0),
        (2.6, 4.0, 0.24, 3.0),
        (27, 27, 27, 27),
        4.0,
    ),
}


class GridSet(NamedTuple):
    """A robust invariant set on a regular grid around zero."""

    half: np.ndarray
    """Half-width in each dimension [S]."""
    inside: np.ndarray
    """bool [cells...]."""

    def states(self) -> np.ndarray:
        """The states of all cells [cells..., S]."""
        axes = [np.linspace(-h, h, n) for h, n in zip(self.half, self.inside.shape, strict=True)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def solve(problem: Problem, *, accuracy: str = "high") -> GridSet:
    """Where no disturbance enforces h < 0 within the horizon, by hj-reachability.

    Args:
        problem: the world.
        accuracy: of its upwind scheme.

    Raises:
        ModuleNotFoundError: hj-reachability is not installed.
    """
    import hj_reachability as hj
    import jax.numpy as jnp

    world = problem.world()

    class System(hj.ControlAndDisturbanceAffineDynamics):
        def open_loop_dynamics(self, state: Any, time: Any) -> Any:
            return problem.drift(jnp, state)

        def control_jacobian(self, state: Any, time: Any) -> Any:
            return problem.gain(jnp, state)[:, None]

        disturbance_jacobian = control_jacobian

    def box(space: Any) -> Any:
        return hj.sets.Box(jnp.array(space.low), jnp.array(space.high))

    system = System("max", "min", box(world.action_space), box(world.disturbance_space))
    half = np.array(problem.half)
    grid = hj.Grid.from_lattice_parameters_and_boundary_conditions(
        hj.sets.Box(-half, half), problem.cells
    )
    settings = hj.SolverSettings.with_accuracy(
        accuracy, hamiltonian_postprocessor=hj.solver.backwards_reachable_tube
    )
    h = jnp.array(world.margin(np.asarray(grid.states)))
    times = np.linspace(0, -problem.seconds, 2)
    values = hj.solve(settings, system, grid, times, h, progress_bar=False)[-1]
    return GridSet(half, np.asarray(values) >= 0)


def agreement(found: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """Two sets of cells beside each other, as shares of the exact set's size.

    Args:
        found, exact: bool, of one shape.
    """
    size = max(int(exact.sum()), 1)
    return {
        "iou": float((found & exact).sum() / max(int((found | exact).sum()), 1)),
        "falsely_safe": float((found & ~exact).sum() / size),
        "missed": float((~found & exact).sum() / size),
    }


def save(path: Path, found: GridSet) -> None:
    """As half-widths and packed bits."""
    bits = np.packbits(found.inside)
    np.savez_compressed(path, half=found.half, cells=found.inside.shape, bits=bits)


def load(name: str) -> GridSet:
    """A committed set of a world.

    Raises:
        ValueError: no such set; names those that there are.
    """
    folder = Path(__file__).with_name("sets")
    known = sorted(path.stem for path in folder.glob("*.npz"))
    with np.load(folder / f"{choose('name', name, known)}.npz") as file:
        cells = tuple(file["cells"])
        bits = np.unpackbits(file["bits"], count=int(np.prod(cells)))
        return GridSet(file["half"], bits.reshape(cells).astype(bool))


def main() -> None:
    """Solve one problem and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", choices=sorted(PROBLEMS))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("sets"))
    arguments = parser.parse_args()
    found = solve(PROBLEMS[arguments.world])
    save(arguments.out / f"{arguments.world}.npz", found)
    share = float(found.inside.mean())
    print(f"{arguments.world}: {share:.3f} of the grid is in the robust invariant set")
    if arguments.world == "double-integrator":
        exact = double_integrator.in_robust_set(found.states())
        print(agreement(found.inside, exact))


if __name__ == "__main__":
    main()
