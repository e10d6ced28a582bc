"""The committed sets: what symmetry, closed forms and play say of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.drac.grid_iteration import iterate, kept_safe
from experiments.drac.oracle import PROBLEMS, GridSet, agreement, load, save
from safer_gym.wrappers.worlds.cart_pole import CartPole
from safer_gym.wrappers.worlds.double_integrator import DoubleIntegrator, in_robust_set


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_a_set_is_of_safe_states_and_symmetric(name: str) -> None:
    found, problem = load(name), PROBLEMS[name]
    assert found.inside.shape == problem.cells
    assert tuple(found.half) == problem.half
    world = problem.world()
    assert (world.margin(found.states())[found.inside] >= -1e-6).all()
    mirrored = found.inside[(slice(None, None, -1),) * found.inside.ndim]
    assert (mirrored != found.inside).mean() < 0.01  # h is 0 on a line of cells
    assert 0.05 < found.inside.mean() < 0.95


def test_the_double_integrators_set_is_the_closed_form() -> None:
    found = load("double-integrator")
    parts = agreement(found.inside, in_robust_set(found.states()))
    assert parts["falsely_safe"] == 0
    assert parts["iou"] > 0.98


def test_outside_of_the_carts_set_the_limit_is_crossed() -> None:
    """States whose fall outruns the motor: full force from the first step does not save them."""
    world, found = CartPole(), load("cart-pole")
    states = found.states().reshape(-1, 4)
    doomed = states[(~found.inside.ravel()) & (states[:, 2] > 0.15) & (states[:, 3] > 1.5)]
    doomed = doomed[world.margin(doomed) > 0][::50]
    assert len(doomed) > 20
    for state in doomed:
        least = 1.0
        for _ in range(50):
            state = world.advance(state, np.ones(1), np.full(1, -0.3))
            least = min(least, float(world.margin(state)))
        assert least < 0


def test_agreement_tells_falsely_safe_from_missed() -> None:
    exact = np.array([True, True, False, False])
    found = agreement(np.array([True, False, True, False]), exact)
    assert found == {"iou": pytest.approx(1 / 3), "falsely_safe": 0.5, "missed": 0.5}


def test_a_set_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    kept = GridSet(np.array([1.0, 2.0]), rng.random((5, 7)) < 0.5)
    (tmp_path / "sets").mkdir()
    save(tmp_path / "sets" / "mine.npz", kept)
    monkeypatch.setattr("experiments.drac.oracle.__file__", str(tmp_path / "oracle.py"))
    found = load("mine")
    assert (found.inside == kept.inside).all()
    assert (found.half == kept.half).all()
    with pytest.raises(ValueError, match="Did you mean 'mine'"):
        load("min")


def test_the_grid_iteration_agrees_with_the_closed_form() -> None:
    world = DoubleIntegrator()
    value = iterate(world, (6.0, 4.0), (61, 61))
    axes = np.meshgrid(np.linspace(-6, 6, 61), np.linspace(-4, 4, 61), indexing="ij")
    states = np.stack(axes, -1)
    exact = in_robust_set(states)
    assert agreement(value.at(states) >= 0, exact)["iou"] > 0.93
    deep = states[in_robust_set(states * 1.2)]
    assert (kept_safe(world, value, deep[::7], steps=60) >= 0).all()
    lost = states[~in_robust_set(states * 0.8) & (world.margin(states) > 0.05)]
    assert len(lost) > 50
    assert (kept_safe(world, value, lost[::7], steps=60) < 0).all()
