"""The Bullet-Safety-Gym tasks: what each is made of, how long it runs, where its safe set ends.

Every number that differs between releases of Bullet-Safety-Gym (time step, sub-steps, horizon)
is stated here, so that a task is the same whichever release is installed. The numbers are those
of release 1.1.0, the one that the SAFER paper's Table 4 agrees with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from safer_gym.choices import choose
from safer_gym.wrappers.tasks import COST_LIMIT, Task, TaskGeometry, register_task

Family = Literal["circle", "run", "gather", "reach", "push"]


@dataclass(frozen=True)
class BulletSpec:
    """One task of Bullet-Safety-Gym. Sizes count vector entries; times are in seconds."""

    name: str
    robot: str
    family: Family
    obs_size: int
    action_size: int
    horizon: int
    time_step: float
    substeps: int
    eps: float
    geometry: TaskGeometry
    world: str
    world_factor: float
    obstacles: Mapping[str, Mapping[str, Any]]
    cost_keys: tuple[str, ...]
    cost_limit: float = COST_LIMIT

    @property
    def id(self) -> str:
        """The task's name in Gymnasium's registry, such as `SaferGym/BallCircle-v0`."""
        return f"SaferGym/{self.paper_name.replace('-', '')}-v0"

    @property
    def paper_name(self) -> str:
        """The task's name in the papers, such as `Ball-Circle`."""
        return "-".join(part.capitalize() for part in self.name.split("-"))

    @property
    def dt(self) -> float:
        """Seconds from one action to the next."""
        return self.time_step * self.substeps


@dataclass(frozen=True)
class _Robot:
    agent: str
    action_size: int
    base_obs: int
    eps: float
    speed_limit: float


@dataclass(frozen=True)
class _Family:
    time_step: float
    substeps: int
    extra_obs: int
    world: str
    cost_keys: tuple[str, ...]
    half_width: float


_ROBOTS = {
    "ball": _Robot("Ball", 2, 7, 0.05, 2.5),
    "car": _Robot("RaceCar", 2, 7, 0.05, 1.5),
    "drone": _Robot("Drone", 4, 17, 0.025, 1.5),
    "ant": _Robot("Ant", 8, 33, 0.025, 1.5),
}
_FAMILIES: dict[Family, _Family] = {
    "circle": _Family(1 / 60, 6, 1, "Octagon", ("cost_outside_bounds",), 10.0),
    "run": _Family(
        1 / 120, 4, 0, "Plane200", ("cost_outside_bounds", "cost_velocity_violation"), 6.0
    ),
    "gather": _Family(
        1 / 120, 4, 32, "SmallRoom", ("cost_gathered_bombs", "cost_out_of_range"), 10.0
    ),
    "reach": _Family(1 / 60, 4, 50, "SmallRoom", ("cost_collisions", "cost_out_of_range"), 10.0),
    "push": _Family(1 / 60, 4, 2, "SmallRoom", ("cost_collisions",), 10.0),
}
_HORIZONS: dict[Family, dict[str, int]] = {
    "circle": {"ball": 200, "car": 300, "drone": 300, "ant": 300},
    "run": {"ball": 100, "car": 200, "drone": 100, "ant": 200},
    "gather": {"ball": 250, "car": 500, "drone": 500, "ant": 1000},
    "reach": {"ball": 250, "car": 500, "drone": 500, "ant": 1000},
    "push": {"ball": 250, "car": 500},
}


def _fixed(number: int) -> dict[str, Any]:
    return {"number": number, "fixed_base": True, "movement": "static"}


def _obstacles(family: Family, robot: str) -> dict[str, dict[str, Any]]:
    if family == "gather":
        return {"Apple": _fixed(8), "Bomb": _fixed(8)}
    if family != "reach":
        return {}
    if robot == "car":
        return {"Puddle": _fixed(17)}
    box = {"number": 1, "fixed_base": False, "movement": "circular"}
    return {"Box": box, ("Pillar" if robot == "drone" else "Puddle"): _fixed(8)}


def _geometry(family: Family, robot: _Robot) -> TaskGeometry:
    half_width = _FAMILIES[family].half_width
    if family == "circle":
        return TaskGeometry(circle_radius=7.0, x_limit=6.0, half_width=half_width)
    if family == "run":
        return TaskGeometry(y_limit=2.0, speed_limit=robot.speed_limit, half_width=half_width)
    return TaskGeometry(half_width=half_width)


def _spec(family: Family, robot_name: str) -> BulletSpec:
    robot, parts = _ROBOTS[robot_name], _FAMILIES[family]
    obstacles = _obstacles(family, robot_name)
    # A reach task without a box has no ray sensor (24 entries).
    extra = parts.extra_obs - (24 if family == "reach" and "Box" not in obstacles else 0)
    return BulletSpec(
        name=f"{robot_name}-{family}",
        robot=robot.agent,
        family=family,
        obs_size=robot.base_obs + extra,
        action_size=robot.action_size,
        horizon=_HORIZONS[family][robot_name],
        time_step=parts.time_step,
        substeps=parts.substeps,
        eps=robot.eps,
        geometry=_geometry(family, robot),
        world=parts.world,
        world_factor=1.0,
        obstacles=MappingProxyType(obstacles),
        cost_keys=parts.cost_keys,
    )


PAPER_TASKS = ("ball-circle", "car-circle", "drone-run", "ant-run")
"""The four tasks of the SAFER paper's tables."""

BULLET_TASKS: Mapping[str, BulletSpec] = MappingProxyType(
    {
        name: _spec(family, robot)
        for family, robot, name in sorted(
            (
                (family, robot, f"{robot}-{family}")
                for family, horizons in _HORIZONS.items()
                for robot in horizons
            ),
            key=lambda row: (row[2] not in PAPER_TASKS, row[0], row[1]),
        )
    }
)
"""Every task by name, such as `ball-circle`; the paper's four come first."""


def bullet_spec(name: str) -> BulletSpec:
    """The description of a Bullet task, by its name.

    Raises:
        ValueError: there is no such task; names the nearest one.
    """
    return BULLET_TASKS[choose("task", name, BULLET_TASKS)]


def _task(spec: BulletSpec) -> Task:
    return Task(
        name=spec.name,
        env_id=spec.id,
        title=spec.paper_name,
        eps=spec.eps,
        cost_limit=spec.cost_limit,
        horizon=spec.horizon,
        obs_size=spec.obs_size,
        action_size=spec.action_size,
        geometry=spec.geometry,
    )


for _spec_of_task in BULLET_TASKS.values():
    register_task(_task(_spec_of_task))
