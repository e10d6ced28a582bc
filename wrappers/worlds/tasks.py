"""The worlds by name. Imports none of them, and not Gymnasium."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from safer_gym.wrappers.tasks import COST_LIMIT, Task, register_task


class WorldSpec(NamedTuple):
    """How Gymnasium makes a world, and the task it is."""

    task: Task
    entry_point: str
    options: Mapping[str, Any] = MappingProxyType({})


def _world(
    name: str,
    class_name: str,
    horizon: int,
    obs_size: int,
    action_size: int,
    eps: float,
    cost_limit: float = 0.0,
) -> WorldSpec:
    module = name.replace("-", "_")
    task = Task(
        name,
        f"SaferGym/{class_name}-v0",
        class_name,
        eps,
        cost_limit=cost_limit,
        horizon=horizon,
        obs_size=obs_size,
        action_size=action_size,
    )
    return WorldSpec(task, f"safer_gym.wrappers.worlds.{module}:{class_name}")


WORLDS = (
    _world("double-integrator", "DoubleIntegrator", 150, 2, 1, 0.05),
    _world("cart-pole", "CartPole", 500, 4, 1, 0.01),
    _world("racing-car", "RacingCar", 200, 6, 2, 0.02),
    _world("walker2d", "Walker2D", 1000, 17, 6, 0.01),
    _world("point-mass", "PointMass", 100, 4, 2, 0.05, COST_LIMIT),
)
"""One step outside of the safe set is a violation, so their cost limit is 0; the point mass, where
algorithms with a cost limit are tried, may spend one.
"""

EVALUATION = (7, 13, 16, 31, 34, 39)
"""Of the forty grasping tasks, those in which the collectors touch the container most."""


def _operation(number: int) -> WorldSpec:
    task = Task(
        f"operation-{number}",
        f"SaferGym/Operation{number}-v0",
        f"Operation {number}",
        eps=0.005,
        cost_limit=0.0,
        horizon=40,
        obs_size=14,
        action_size=5,
    )
    entry_point = "safer_gym.wrappers.worlds.operation.operation:Operation"
    return WorldSpec(task, entry_point, {"task": number})


GRASPING = tuple(map(_operation, range(40)))
"""All grasping tasks, which need the extra `bullet`. Gymnasium makes each by its id."""
OPERATIONS = tuple(GRASPING[number] for number in EVALUATION)
"""Those for evaluation, which have a name here too."""

for _spec in (*WORLDS, *OPERATIONS):
    register_task(_spec.task)
