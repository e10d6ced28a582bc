"""The worlds by name. Imports none of them, and not Gymnasium."""

from __future__ import annotations

from typing import NamedTuple

from safer_gym.wrappers.tasks import Task, register_task


class WorldSpec(NamedTuple):
    """How Gymnasium makes a world, and the task it is."""

    task: Task
    entry_point: str


def _world(
    name: str, class_name: str, horizon: int, obs_size: int, action_size: int, eps: float
) -> WorldSpec:
    module = name.replace("-", "_")
    task = Task(
        name,
        f"SaferGym/{class_name}-v0",
        class_name,
        eps,
        cost_limit=0.0,
        horizon=horizon,
        obs_size=obs_size,
        action_size=action_size,
    )
    return WorldSpec(task, f"safer_gym.wrappers.worlds.{module}:{class_name}")


WORLDS = (
    _world("double-integrator", "DoubleIntegrator", 150, 2, 1, 0.05),
    _world("cart-pole", "CartPole", 500, 4, 1, 0.01),
    _world("racing-car", "RacingCar", 200, 6, 2, 0.02),
)
"""One step outside of the safe set is a violation, so their cost limit is 0."""

for _spec in WORLDS:
    register_task(_spec.task)
