"""The registry of tasks: whoever registers one can name it at every door."""

from __future__ import annotations

import pytest

from safer_gym.wrappers import tasks
from safer_gym.wrappers.adapters.bullet_tasks import BULLET_TASKS
from safer_gym.wrappers.tasks import FALLBACK_EPS, TASKS, Task, find_task, make_task, register_task


def test_every_bullet_task_is_a_task() -> None:
    for name, spec in BULLET_TASKS.items():
        task = TASKS[name]
        assert (task.env_id, task.eps, task.horizon) == (spec.id, spec.eps, spec.horizon)
        assert find_task(name) is find_task(spec.id) is task


def test_any_gymnasium_id_is_a_task_with_defaults() -> None:
    task = find_task("Pendulum-v1")
    assert (task.name, task.env_id, task.eps) == ("Pendulum-v1", "Pendulum-v1", FALLBACK_EPS)
    assert task.geometry is None


def test_a_registered_task_is_found_and_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "TASKS", dict(TASKS))
    task = register_task(Task("swing", "Pendulum-v1", eps=0.2))
    assert register_task(Task("swing", "Pendulum-v1", eps=0.2)) == task
    assert find_task("swing") == find_task("Pendulum-v1") == task
    env = make_task("swing", max_episode_steps=7)
    assert env.spec is not None
    assert env.spec.max_episode_steps == 7
    with pytest.raises(ValueError, match="'swing' exists already, with Pendulum-v1"):
        register_task(Task("swing", "CartPole-v1"))


def test_an_unknown_task_names_the_nearest() -> None:
    for look_up in (find_task, make_task):
        with pytest.raises(ValueError, match="Did you mean 'ball-circle'"):
            look_up("ball-circel")
