"""Tasks by name: an environment with all that commands, pages and experiments need to know of it.

`find_task` is the one resolver of environments' names, for the shell, pytest and Python: a task, a
Gymnasium id, "my_package:MyEnv-v0", or "my_module:make_env". To register a task:

    register_task(Task("my-task", "my_package:MyTask-v0", eps=0.1))

Importing `safer_gym` registers the Bullet tasks (`safer_gym.wrappers.adapters.bullet_tasks`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from safer_gym.choices import choose
from safer_gym.wrappers.named import import_own, is_named, load_named

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
    "my_package:MyTask-v0". Or "my_module:make_env", a function or class that makes one."""
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
    cost: str = ""
    """Where a step's cost is, if not in `info["cost"]`: another key of `info`, or "module:function"
    of (obs, action, next_obs, info)."""
    max_steps: int | None = None
    """Cut episodes here; None leaves their end to the environment."""
    env_args: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Keyword arguments of the environment."""

    def make(self, **options: Any) -> gymnasium.Env:
        """Make the environment; `options` go to `gymnasium.make`.

        Raises:
            TypeError: what was named makes no environment, or an attribute is of another type.
            ValueError: an attribute is out of range.
        """
        import gymnasium

        _check(self)
        if self.max_steps is not None:
            options = {"max_episode_steps": self.max_steps, **options}
        env = gymnasium.make(self._made_from(), **{**self.env_args, **options})
        if not self.cost:
            return env
        from safer_gym.wrappers.cost import CostTracker

        return CostTracker(env, cost=load_named(self.cost) if is_named(self.cost) else self.cost)

    @property
    def changes(self) -> dict[str, Any]:
        """What `make` was told beside the name, as JSON has it; empty for a task as it is."""
        told = {"cost": self.cost, "max_steps": self.max_steps, "env_args": dict(self.env_args)}
        return {key: value for key, value in told.items() if value}

    @property
    def words(self) -> list[str]:
        """How the shell names it: the name, then options."""
        args = [f"{key}={json.dumps(value)}" for key, value in self.env_args.items()]
        words = [self.name, *(["--cost", self.cost] if self.cost else [])]
        words += ["--max-steps", str(self.max_steps)] if self.max_steps else []
        return [*words, *(word for arg in args for word in ("--env-arg", arg))]

    def _made_from(self) -> Any:
        from gymnasium.envs.registration import EnvSpec

        if not is_named(self.env_id) or _is_registered(self.env_id):
            return self.env_id
        make = load_named(self.env_id)
        if not callable(make):
            raise TypeError(
                f"{self.env_id} must be a function or a class that makes an environment, got "
                f"{make!r}; each episode begins a new one"
            )
        return EnvSpec(self.env_id.removesuffix("()"), entry_point=make)


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


def find_task(
    name: str,
    *,
    cost: str = "",
    max_steps: int | None = None,
    env_args: Mapping[str, Any] | None = None,
) -> Task:
    """A task by its name, or any environment whose steps carry a cost.

    Args:
        name: a registered task; a Gymnasium id; "my_package:MyEnv-v0", an id that importing the
            module registers; "my_module:make_env", a function or class that makes an environment.
            Modules of the current folder are found too.
        cost, max_steps, env_args: see `Task`.

    Raises:
        ValueError: none of these; names the nearest task. Or a number of steps below 1.
        TypeError: an argument of another type.
        ImportError: there is no such module, or it fails while it is imported.
    """
    env_args = {} if env_args is None else env_args
    _check(Task(name, name, cost=cost, max_steps=max_steps, env_args=env_args))
    if cost and is_named(cost):
        load_named(cost)
    told = {"cost": cost, "max_steps": max_steps, "env_args": dict(env_args)}
    changes: Any = {key: value for key, value in told.items() if value}
    return replace(_named_task(name), **changes) if changes else _named_task(name)


def _check(task: Task) -> None:
    """Refuse what no task may have; not in the constructor, since `--help` does without numpy."""
    from safer_gym.domains import AT_LEAST_ONE, NOT_NEGATIVE, NUMBER, require, shown

    for word in ("name", "env_id", "title", "cost"):
        if not isinstance(getattr(task, word), str):
            raise TypeError(f"{word} must be a str; got {shown(getattr(task, word))}")
    if not isinstance(task.env_args, Mapping):
        raise TypeError(f"env_args must be a mapping; got {shown(task.env_args)}")
    require(NOT_NEGATIVE, eps=task.eps)
    require(NUMBER, cost_limit=task.cost_limit)
    steps = {"horizon": task.horizon, "max_steps": task.max_steps}
    require(AT_LEAST_ONE.or_none, **steps, obs_size=task.obs_size, action_size=task.action_size)


def env_maker(env: Any) -> Callable[[], gymnasium.Env]:
    """What makes one environment, of whatever a door is given as one.

    Args:
        env: a function; a Task; or a name, see `find_task`.

    Raises:
        TypeError: none of these.
        ValueError, ImportError: see `find_task`.
    """
    if isinstance(env, str):
        return find_task(env).make
    if isinstance(env, Task):
        return env.make
    if not callable(env):
        raise TypeError(
            "make_env must be a function that makes an environment, or a name such as "
            f"'Hall-v0' or 'my_module:make_env'; got {env!r}. Each episode begins a new one"
        )
    return env


def _named_task(name: str) -> Task:
    by_id = {task.env_id: task for task in TASKS.values()}
    if name in by_id or name in TASKS:
        return by_id.get(name) or TASKS[name]
    module, _, rest = name.rpartition(":")
    if _is_registered(name):
        return Task(name, name)
    if is_named(name):
        load_named(name)
        return Task(name, name)
    if module:
        raise ValueError(
            f"module {module!r} registers no environment {rest!r}: it must call "
            f"gymnasium.register({rest!r}, ...) when it is imported"
        )
    try:
        return TASKS[choose("task", name, TASKS)]
    except ValueError as error:
        raise ValueError(
            f"{error} An environment of your own is named with its module: my_package:Hall-v0 or "
            "my_module:make_env"
        ) from None


def _is_registered(name: str) -> bool:
    """Whether it is a Gymnasium id, after its module was imported where it names one."""
    from gymnasium import registry

    module, _, rest = name.rpartition(":")
    if module:
        import_own(module)
    return rest in registry


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
