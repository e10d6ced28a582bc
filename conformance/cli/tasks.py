"""The command `tasks`: every registered task, and the policies packaged for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from safer_gym.conformance.cli.output import print_json, print_table
from safer_gym.conformance.loading.zoo import packaged_policies
from safer_gym.wrappers.tasks import TASKS


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
    for task in TASKS.values():
        yield {
            "task": task.name,
            "id": task.env_id,
            "observation": task.obs_size,
            "action": task.action_size,
            "horizon": task.horizon,
            "cost_limit": task.cost_limit,
            "eps": task.eps,
            "policies": [name for name in policies if name.startswith(f"{task.name}/")],
        }
