"""Where the defaults are tried: tasks that are none of Bullet's."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import Any, NamedTuple

import gymnasium

from safer_gym.wrappers.adapters.safety_gymnasium import SafetyGymnasiumAdapter
from safer_gym.wrappers.tasks import Task, find_task

HERE, COSTS = "experiments.elsewhere.environments", "experiments.elsewhere.costs"
FAR = 1000.0
"""Metres; nothing comes near a wall there."""


class Place(NamedTuple):
    """A task, how long it is trained, and what has to be installed."""

    task: Task
    timesteps: int
    needs: str = ""
    """A module."""

    @property
    def obstacle(self) -> str:
        """Why nothing can be trained here; "" if it can."""
        if not self.needs or find_spec(self.needs):
            return ""
        return f"it needs {self.needs}, which is not installed"


def point_goal(**options: Any) -> gymnasium.Env:
    """Safety-Gymnasium's SafetyPointGoal1-v0."""
    import safety_gymnasium

    return SafetyGymnasiumAdapter(safety_gymnasium.make("SafetyPointGoal1-v0", **options))


def _running(name: str, env_id: str, cost: str) -> Place:
    task = Task(name, env_id, f"{env_id}, speed limit", cost=f"{COSTS}:{cost}", horizon=1000)
    return Place(task, 300_000, "mujoco")


_WALL = find_task("point-mass")
_FREE = replace(_WALL, name="point-mass-free", title="PointMass, no wall", env_args={"wall": FAR})
_LEAN = Task("pendulum-lean", "Pendulum-v1", "Pendulum, angle", cost=f"{COSTS}:lean", horizon=200)
_GOAL = Task("point-goal", f"{HERE}:point_goal", "SafetyPointGoal1", horizon=1000, max_steps=1000)

PLACES: dict[str, Place] = {
    place.task.name: place
    for place in (
        Place(_WALL, 100_000),
        Place(_FREE, 100_000),
        Place(_LEAN, 100_000),
        _running("half-cheetah-speed", "HalfCheetah-v5", "half_cheetah"),
        _running("hopper-speed", "Hopper-v5", "hopper"),
        _running("walker-speed", "Walker2d-v5", "walker"),
        _running("swimmer-speed", "Swimmer-v5", "swimmer"),
        Place(_GOAL, 300_000, "safety_gymnasium"),
    )
}
"""By name. The radius of the attacks is 0.05 and the cost limit 5, the constructors' own."""
