"""A shield fitted with the user's own function as its model."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shield_toys import make_line, mass_step, rightward

from safer_gym.conformance.evaluate import evaluate
from safer_gym.wrappers import Shield, ShieldedPolicy

TOLD: dict[str, Any] = {
    "coordinates": {"x": (0, 1.0), "v": (1, 1.0)},
    "h": {"x": (-3.0, 3.0), "v": (-3.0, 3.0)},
    "eps": 0.2,
    "episodes": 4,
}


@cache
def fitted() -> Shield:
    return Shield.fit(make_line, model=mass_step, **TOLD)


def heavier(z: Any, u: Any) -> Any:
    """Half of the force."""
    return mass_step(z, 0.5 * u)


def test_its_errors_are_the_noise_alone() -> None:
    (part,) = fitted().parts
    assert float(part.free.high[0]) < 1e-5
    assert 0.005 < float(part.free.high[1]) < 0.0126
    assert fitted().prove()[0].holds


def test_what_a_wrong_function_misses_is_in_its_errors() -> None:
    (part,), (own,) = Shield.fit(make_line, model=heavier, **TOLD).parts, fitted().parts
    assert float(part.free.high[1]) > 3 * float(own.free.high[1])


def test_it_stays_inside() -> None:
    env = make_line()
    spaces = {"action_space": env.action_space, "observation_space": env.observation_space}
    policy = ShieldedPolicy(rightward, fitted(), **spaces)
    (found,) = evaluate(policy, make_line, ["uniform"], eps=0.2, n_episodes=2)
    assert found.costs.max() == 0
    assert found.mean_return > 20


def test_a_file_needs_the_function_or_trust(tmp_path: Path) -> None:
    fitted().save(tmp_path / "shield.json")
    with pytest.raises(ValueError, match=r"shield_toys:mass_step.*model="):
        Shield.load(tmp_path / "shield.json")
    with pytest.raises(ValueError, match="other values"):
        Shield.load(tmp_path / "shield.json", model=heavier)
    obs = np.array([2.5, 0.5], np.float32)
    for same in (
        Shield.load(tmp_path / "shield.json", model=mass_step),
        Shield.load(tmp_path / "shield.json", trust=True),
    ):
        assert same.to_json() == fitted().to_json()
        actions = [ShieldedPolicy(rightward, s).predict(obs)[0] for s in (same, fitted())]
        assert np.array_equal(*actions)


def test_a_function_without_a_name_has_to_be_given(tmp_path: Path) -> None:
    shield = Shield.fit(make_line, model=lambda z, u: mass_step(z, u), **TOLD)
    shield.save(tmp_path / "shield.json")
    with pytest.raises(ValueError, match="no name"):
        Shield.load(tmp_path / "shield.json", trust=True)
    assert Shield.load(tmp_path / "shield.json", model=mass_step).prove()[0].holds


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ([mass_step, None], "each of 1 parts"),
        (lambda z, u: z * z[0], "index"),
    ],
)
def test_what_does_not_fit_is_refused(model: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Shield.fit(make_line, model=model, **TOLD)
