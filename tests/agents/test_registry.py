"""One table of algorithms: an algorithm from outside is one file and one registration."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from typer.testing import CliRunner

from safer_gym.agents.registry import (
    ALGORITHMS,
    find_algorithm,
    find_recipe,
    register_algorithm,
    written_by,
)
from safer_gym.agents.training import recipes
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.loading import load_policy
from safer_gym.wrappers.tasks import Task

OUTSIDE = '''
from safer_gym.agents import CVPO
from safer_gym.agents.registry import register_algorithm

class Mine(CVPO):
    """Another algorithm."""

SMALL = {"net_arch": [8]}
register_algorithm(
    "mine",
    Mine,
    recipes={
        "ball-circle": {
            "total_timesteps": 80,
            "n_envs": 2,
            "kwargs": {"learning_starts": 20, "train_freq": 20, "gradient_steps": 1,
                       "batch_size": 8, "policy_kwargs": SMALL},
        }
    },
    chosen_by=("natural", "uniform"),
)
'''


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A file of somebody else's, imported, and forgotten again."""
    known = dict(ALGORITHMS)
    for task, own in recipes.RECIPES.items():
        monkeypatch.setitem(recipes.RECIPES, task, dict(own))
    module = ModuleType("somebody_elses")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(OUTSIDE, module.__dict__)
    yield
    ALGORITHMS.clear()
    ALGORITHMS.update(known)


@pytest.mark.usefixtures("outside")
def test_every_command_takes_an_algorithm_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Task.make
    monkeypatch.setattr(
        Task, "make", lambda task, **options: make(task, max_episode_steps=12, **options)
    )

    def run(*words: str) -> dict:
        result = CliRunner().invoke(app, [*words, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    run("train", "ball-circle", "--algorithm", "mine", "--out", str(tmp_path))
    record = json.loads((tmp_path / "model.json").read_text())
    assert record["algorithm"] == "mine"
    assert "uniform_cost" in record["candidates"][0]  # what it is chosen by
    (tmp_path / "model.json").unlink()  # the file itself says whose it is
    model = str(tmp_path / "model.zip")
    told = run("evaluate", model, "--task", "ball-circle", "--attacks", "mc", "--episodes", "1")
    assert told["algorithm"] == "mine"
    loaded = load_policy(model)
    assert not loaded.ran_code
    obs = np.zeros(loaded.policy.observation_space.shape, np.float32)
    again = sys.modules["somebody_elses"].Mine.load(model)
    np.testing.assert_array_equal(
        loaded.policy.predict(obs, deterministic=True)[0], again.predict(obs, deterministic=True)[0]
    )
    refused = CliRunner().invoke(app, ["evaluate", model, "--algorithm", "cvpo"])
    assert refused.exit_code == 3


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="'cvpo' is registered already"):
        register_algorithm("cvpo", "elsewhere:CVPO")
    register_algorithm("cvpo", ALGORITHMS["cvpo"].place, chosen_by=ALGORITHMS["cvpo"].chosen_by)


def test_unknown_names_have_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean 'safer'"):
        find_algorithm("safr")
    with pytest.raises(ValueError, match="Did you mean 'cvpo'"):
        find_recipe("ball-circle", "cvp")
    assert written_by("Nobody") is None


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_place_is_there(name: str) -> None:
    pytest.importorskip(ALGORITHMS[name].place.partition(":")[0])
    assert find_algorithm(name).load().__name__ == ALGORITHMS[name].class_name


@pytest.mark.parametrize("task", recipes.RECIPES)
def test_every_recipe_of_an_algorithms_name_has_an_algorithm(task: str) -> None:
    """Recipes of other names (demo, full, safer-paper) are asked for beside an algorithm."""
    assert set(recipes.RECIPES[task]) - set(ALGORITHMS) <= {"demo", "full", "safer-paper"}
