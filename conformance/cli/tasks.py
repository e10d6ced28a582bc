"""Task names of the command line, and what stands behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import gymnasium as gym

from safer_gym.choices import choose
from safer_gym.conformance.cli.output import print_json, print_table
from safer_gym.conformance.loading.zoo import packaged_policies
from safer_gym.wrappers.adapters.tasks import TASKS, TaskGeometry

FALLBACK_EPS = 0.05
"""Radius for an environment that is none of ours: state your own with --eps."""


class Task(NamedTuple):
    """What the commands need of a task."""

    name: str
    env_id: str
    eps: float
    geometry: TaskGeometry | None


def find_task(name: str) -> Task:
    """A task by its short name, or any Gymnasium id whose steps carry a cost.

    Raises:
        ValueError: neither; names the nearest task.
    """
    by_id = {spec.id: spec for spec in TASKS.values()}
    if name in by_id:
        name = by_id[name].name
    elif name in gym.registry:
        return Task(name, name, FALLBACK_EPS, None)
    spec = TASKS[choose("task", name, TASKS)]
    return Task(spec.name, spec.id, spec.eps, spec.geometry)


def env_maker(task: Task) -> Callable[[], gym.Env]:
    """A function that makes the task's environment."""
    return lambda: gym.make(task.env_id)


def run_tasks(*, as_json: bool) -> None:
    """Print all tasks."""
    rows = list(_describe(packaged_policies()))
    if as_json:
        print_json(rows)
    else:
        print_table("Tasks", [_short(row) for row in rows])


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """A row that fits on a narrow terminal."""
    algorithms = ", ".join(name.split("/")[1] for name in row["policies"])
    kept = ("task", "observation", "action", "horizon", "eps")
    return {**{key: row[key] for key in kept}, "packaged policies": algorithms}


def _describe(policies: list[str]) -> Iterable[dict[str, Any]]:
    for spec in TASKS.values():
        yield {
            "task": spec.name,
            "id": spec.id,
            "observation": spec.obs_size,
            "action": spec.action_size,
            "horizon": spec.horizon,
            "cost_limit": spec.cost_limit,
            "eps": spec.eps,
            "policies": [name for name in policies if name.startswith(f"{spec.name}/")],
        }
