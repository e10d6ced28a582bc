"""`train` from Python, as from the shell: a task is anything with a name, an id and `make`."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from agent_envs import TINY, Timed

from safer_gym.agents import CVPO
from safer_gym.agents.training import recipes
from safer_gym.agents.training.plan import Run, planned
from safer_gym.agents.training.run import Choice, train

KWARGS = {key: value for key, value in TINY.items() if key not in ("seed", "device")}


class Clock:
    """A task of somebody's own."""

    name, env_id = "clock", "Clock-v0"
    words, changes = ["clock"], {}

    def make(self) -> Any:
        return Timed()


def clock_run(out: Path, timesteps: int = 80) -> Run:
    return Run(Clock(), "cvpo", timesteps, 2, KWARGS, 0, out)


def test_a_training_leaves_its_policy_its_record_and_its_curve(tmp_path: Path) -> None:
    seen: list[tuple[float, str]] = []
    trained = train(
        clock_run(tmp_path),
        progress=lambda share, note: seen.append((share, note)),
        about=lambda: {"by": "a test"},
    )
    assert trained.finished
    assert trained.timesteps == 80
    assert seen[-1][0] == 1.0
    record = json.loads((tmp_path / "model.json").read_text())
    assert (record["algorithm"], record["by"], record["chosen"]) == ("cvpo", "a test", "last")
    assert CVPO.load(tmp_path / "model.zip").num_timesteps == 80
    again = train(clock_run(tmp_path))
    assert [p.ep_cost_mean for p in again.curve] == [p.ep_cost_mean for p in trained.curve]
    assert train(clock_run(tmp_path, 120)).timesteps == 120


def test_the_policy_that_is_kept_is_the_chosen_one(tmp_path: Path) -> None:
    def first(candidates: list[Path], run: Run) -> Choice:
        assert [path.stem for path in candidates][-1] == "last"
        return Choice(candidates[0], [{"policy": candidates[0].stem}])

    train(clock_run(tmp_path, 200), choose=first)
    record = json.loads((tmp_path / "model.json").read_text())
    assert record["chosen"].startswith("step_")
    assert CVPO.load(tmp_path / "model.zip").num_timesteps < 200


def test_a_training_that_is_stopped_goes_on(tmp_path: Path) -> None:
    asked: list[int] = []

    @contextmanager
    def soon() -> Any:
        yield lambda: asked.append(1) or len(asked) > 20

    assert not train(clock_run(tmp_path), stopping=soon).finished
    assert not (tmp_path / "model.zip").exists()
    assert train(clock_run(tmp_path)).finished


def test_a_plan_is_the_tasks_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = {"total_timesteps": 40, "n_envs": 2, "kwargs": KWARGS}
    monkeypatch.setitem(recipes.RECIPES, "clock", {"cvpo": recipe})
    assert planned(Clock(), "cvpo", tmp_path).timesteps == 40
    assert planned(Clock(), "cvpo", tmp_path, 60).timesteps == 60
    with pytest.raises(ValueError, match="Did you mean 'cvpo'"):
        planned(Clock(), "cvp", tmp_path)
