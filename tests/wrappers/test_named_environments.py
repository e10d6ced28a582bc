"""One resolver of environments' names: each form makes one, and what is none is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from own_hall import NAME, hall_in

from safer_gym.wrappers.gate.ends import LONGEST, check_ends
from safer_gym.wrappers.tasks import TASKS, env_maker, find_task


@pytest.fixture(autouse=True)
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with hall_in(tmp_path, monkeypatch) as folder:
        yield folder


def stepped(env: gym.Env) -> dict[str, Any]:
    env.reset(seed=0)
    return env.step(env.action_space.sample())[-1]


@pytest.mark.parametrize("name", ["Hall", "make", "OwnHall-v0"])
def test_each_form_of_a_name_makes_an_environment(name: str) -> None:
    env = find_task(f"{NAME}:{name}").make()
    assert type(env.unwrapped).__name__ == "Hall"
    assert "touched" in stepped(env)


def test_what_is_told_beside_the_name_is_in_the_environment() -> None:
    told: dict[str, Any] = {"max_steps": 7, "env_args": {"wall": -9.0}}
    for cost in ("touched", f"{NAME}:touches"):
        task = find_task(f"{NAME}:Hall", cost=cost, **told)
        env = task.make()
        assert env.spec is not None
        assert env.spec.max_episode_steps == 7
        assert stepped(env)["cost"] == 1.0
        assert task.changes == {"cost": cost, **told}
        assert task.words == [
            f"{NAME}:Hall", "--cost", cost, "--max-steps", "7", "--env-arg", "wall=-9.0"
        ]  # fmt: skip
    assert find_task("Pendulum-v1", max_steps=3).make().spec.max_episode_steps == 3  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("no_such_module_here:make", ModuleNotFoundError, "no module 'no_such_module_here'"),
        (f"{NAME}:mke", ValueError, "no attribute 'mke'"),
        (f"{NAME}:OwnHall-v7", ValueError, "registers no environment 'OwnHall-v7'"),
        ("OwnHall-v7", ValueError, "my_module:make_env"),
        (f"{NAME}:number", TypeError, "each episode begins a new one"),
        (f"{NAME}:one", TypeError, "each episode begins a new one"),
        (f"{NAME}:drive", TypeError, "missing 1 required positional argument"),
        ("own_hall_broken:make", ImportError, "fails while it is imported: ZeroDivisionError"),
    ],
)
def test_what_names_no_environment_is_refused(
    name: str, kind: type, words: str, tmp_path: Path
) -> None:
    (tmp_path / "own_hall_broken.py").write_text("1 / 0")
    with pytest.raises(kind, match=words):
        find_task(name).make()


def test_every_door_takes_a_function_a_task_or_a_name() -> None:
    task = find_task(f"{NAME}:make")
    assert env_maker(f"{NAME}:make")().spec == env_maker(task)().spec
    assert env_maker(gym.Env) is gym.Env
    assert env_maker("ball-circle") == TASKS["ball-circle"].make
    with pytest.raises(TypeError, match="function that makes an environment"):
        env_maker(task.make())
    with pytest.raises(ValueError, match="max_steps must be a whole number >= 1"):
        find_task(f"{NAME}:make", max_steps=0)


def test_an_environment_without_an_end_is_refused_after_a_number_of_steps() -> None:
    import sys

    endless = find_task(f"{NAME}:Hall")
    steps = sys.modules[NAME].STEPS
    with pytest.raises(ValueError, match="--max-steps"):
        check_ends(endless.make, 0)
    assert len(steps) == LONGEST
    steps.clear()
    check_ends(find_task(f"{NAME}:Hall", max_steps=7).make, 0)
    assert not steps  # a stated limit is taken at its word, which every episode is held to
    check_ends(find_task(f"{NAME}:make").make, 0)
    assert len(steps) == 20
