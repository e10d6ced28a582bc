"""Tasks by name: an environment with all that commands, pages and experiments need to know of it.

A task is one registration:

    register_task(Task("my-task", "my_package:MyTask-v0", eps=0.1))

Importing `safer_gym` registers the Bullet tasks (`safer_gym.wrappers.adapters.bullet_tasks`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safer_gym.choices import choose

if TYPE_CHECKING:
    import gymnasium

COST_LIMIT = 5.0
"""The SAFER paper's limit on the undiscounted cost of an episode."""

FALLBACK_EPS = 0.05
"""Radius for an environment that states none: state your own with --eps."""


@dataclass(frozen=True)
class TaskGeometry:
    """What a top-down picture of a task needs. Metres, metres per second; None means no limit."""

    circle_radius: float | None = None
    """Radius of the circle that is to be followed."""
    x_limit: float | None = None
    """A cost falls where |x| is above this."""
    y_limit: float | None = None
    """A cost falls where |y| is above this."""
    speed_limit: float | None = None
    """A cost falls where the planar speed is above this."""
    half_width: float = 10.0
    """Half the side of the square that holds the scene."""


@dataclass(frozen=True)
class Task:
    """One task."""

    name: str
    """Such as "ball-circle"."""
    env_id: str
    """Gymnasium's id; with the module to import first where that does not register it by itself:
    "my_package:MyTask-v0"."""
    title: str = ""
    """The task's name in texts; its name where empty."""
    eps: float = FALLBACK_EPS
    """Default radius of an attack, linf, in units of the observation."""
    cost_limit: float = COST_LIMIT
    """Of an episode."""
    horizon: int | None = None
    """Steps of an episode at most; None where the task does not say."""
    obs_size: int | None = None
    action_size: int | None = None
    geometry: TaskGeometry | None = None
    """For pictures of trajectories; None: none are drawn."""

    def make(self, **options: Any) -> gymnasium.Env:
        """Make the environment; `options` go to `gymnasium.make`."""
        import gymnasium

        return gymnasium.make(self.env_id, **options)


TASKS: dict[str, Task] = {}
"""Every registered task by name; the SAFER paper's four come first."""


def register_task(task: Task) -> Task:
    """Let every command take a task by its name.

    Raises:
        ValueError: another task has that name.
    """
    if TASKS.get(task.name, task) != task:
        raise ValueError(
            f"a task named {task.name!r} exists already, with {TASKS[task.name].env_id}"
        )
    TASKS[task.name] = task
    return task


def find_task(name: str) -> Task:
    """A task by its name, or any Gymnasium id whose steps carry a cost.

    Raises:
        ValueError: neither; names the nearest task.
    """
    from gymnasium import registry

    by_id = {task.env_id: task for task in TASKS.values()}
    if name in by_id:
        return by_id[name]
    if name in registry:
        return Task(name, name)
    return TASKS[choose("task", name, TASKS)]


def make_task(name: str, **options: Any) -> gymnasium.Env:
    """Make a task by its name: `make_task("ball-circle", render_mode="rgb_array")`.

    Args:
        name: a registered task.
        options: for `gymnasium.make`.

    Raises:
        ValueError: there is no such task.
        gymnasium.error.DependencyNotInstalled: the `bullet` extra is missing.
    """
    return TASKS[choose("task", name, TASKS)].make(**options)
