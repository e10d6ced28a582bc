"""The defaults elsewhere: tasks with a cost, claims and page of made-up records, a short run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from typer.testing import CliRunner

from experiments.__main__ import app
from experiments.elsewhere import costs
from experiments.elsewhere.claims import FREE, claims
from experiments.elsewhere.environments import PLACES
from experiments.elsewhere.methods import CHANGES, METHODS, find_method
from experiments.elsewhere.page import write_page
from experiments.harness.records import read_records
from safer_gym.agents.options import BallOptions
from safer_gym.agents.registry import find_algorithm
from safer_gym.wrappers.tasks import COST_LIMIT

TASKS = ("point-mass", FREE)
runner = CliRunner()


def put(folder: Path, task: str, method: str, reward: float, cost: float, attacked: float) -> None:
    def part(cost: float) -> dict[str, Any]:
        return {"returns": [reward] * 4, "costs": [cost] * 4, "lengths": [9] * 4}

    record = {
        "task": task,
        "algorithm": "x",
        "method": method,
        "seed": 0,
        "timesteps": 1000,
        "evaluation": {"natural": part(cost), "mc": part(attacked), "mr": part(cost)},
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{task}-{method.lower()}-0.json").write_text(json.dumps(record))


@pytest.mark.parametrize("name", PLACES)
def test_every_task_has_a_cost_and_the_radius_of_the_defaults(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its log here
    place = PLACES[name]
    assert place.task.eps == BallOptions().eps
    assert place.task.cost_limit == COST_LIMIT
    if place.obstacle:
        pytest.skip(place.obstacle)
    env = place.task.make()
    env.reset(seed=0)
    env.action_space.seed(0)
    assert env.step(env.action_space.sample())[4]["cost"] >= 0


@pytest.mark.filterwarnings("ignore:.*we recommend using.*")
def test_the_wall_far_away_is_never_reached() -> None:
    env = PLACES[FREE].task.make()
    check_env(env.unwrapped, skip_render_check=True)
    env.reset(seed=0)
    assert all(env.step(np.ones(2))[4]["cost"] == 0.0 for _ in range(100))
    env = PLACES["point-mass"].task.make()
    env.reset(seed=0)
    assert any(env.step(np.ones(2))[4]["cost"] == 1.0 for _ in range(100))  # the specimen


@pytest.mark.parametrize(
    ("angle", "cost"), [(0.0, 0.0), (0.19, 0.0), (0.21, 1.0), (1.5, 1.0), (1.6, 0.0), (-0.5, 0.0)]
)
def test_only_a_lean_to_one_side_costs(angle: float, cost: float) -> None:
    obs = np.array([np.cos(angle), np.sin(angle), 0.0])
    assert costs.lean(None, None, obs, {}) == cost


@pytest.mark.parametrize("name", costs.FASTEST)
def test_a_speed_above_the_limit_costs(name: str) -> None:
    cost = getattr(costs, name.replace("-", "_"))
    fastest = costs.FASTEST[name]
    assert cost(None, None, None, {"x_velocity": fastest}) == 0.0
    assert cost(None, None, None, {"x_velocity": fastest + 0.01}) == 1.0


@pytest.mark.parametrize("name", METHODS | CHANGES)
def test_the_defaults_are_the_constructors(name: str) -> None:
    method = find_method(name)
    assert callable(find_algorithm(method.algorithm).load())
    assert (method.options == {}) == (name in METHODS)


def test_claims_say_what_the_numbers_say(tmp_path: Path) -> None:
    for task in TASKS:
        put(tmp_path, task, "CVPO", 100.0, 2.0, 50.0)
        put(tmp_path, task, "SAFER", 96.0, 2.0, 4.0)
    put(tmp_path, FREE, "SAFER", 94.0, 2.0, 6.0)
    found = {(c.text, c.task): c.ours.verdict for c in claims(read_records(tmp_path), TASKS)}
    attacked, free = "SAFER keeps the limit under attack", next(t for t, _ in found if "5%" in t)
    assert found["CVPO keeps the limit", FREE] == "holds"
    assert found[attacked, "point-mass"] == "holds"
    assert found[attacked, FREE] == "does not hold"
    assert found[free, FREE] == "does not hold"
    assert found["PPO-Lagrangian keeps the limit", FREE] == "not run"


def test_the_page_names_what_has_run_and_what_cannot(tmp_path: Path) -> None:
    put(tmp_path / "records", "point-mass", "SAFER", 96.0, 2.0, 4.0)
    states = {("point-mass", "CVPO"): "not available: it needs a simulator"}
    page = write_page(tmp_path, read_records(tmp_path / "records"), TASKS, states)
    text = (tmp_path / "README.md").read_text()
    assert "96.0 / 4.0" in text
    assert "96.0 / 4.0" in page.read_text()
    assert "it needs a simulator" in text
    assert "PointMass, no wall" not in text.replace("CVPO on PointMass, no wall", "")


def test_one_short_run_from_start_to_page(tmp_path: Path) -> None:
    asked = [
        "reproduce",
        "--paper",
        "elsewhere",
        "--task",
        "pendulum-lean",
        "--methods",
        "CVPO",
    ]
    sizes = ["--seeds", "0", "--timesteps", "1600", "--episodes", "1", "--workers", "1"]
    result = runner.invoke(app, [*asked, *sizes, "--out", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    record = read_records(tmp_path / "records")[0]
    assert set(record.data["evaluation"]) == {"natural", "mc", "mr"}
    assert record.curve()
    assert (tmp_path / "index.html").exists()
