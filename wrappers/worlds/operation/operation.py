"""Grasp an object out of a container without touching it, as in the game Operation.

The tasks of Slack et al. (2022), rebuilt from PyBullet's own objects and an arm of primitives:
their arm, objects and code are not public. The reward, the violation and the number of tasks are
the paper's; sizes, horizon and the state observation are ours.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import ArrayLike, NDArray

from safer_gym.choices import choose
from safer_gym.wrappers.worlds.operation.arm import CLOSED, OPEN, Pose
from safer_gym.wrappers.worlds.operation.scene import Scene
from safer_gym.wrappers.worlds.operation.tasks import N_TASKS, operation_tasks

STEP = 0.03
"""Metres by which an action of 1 moves the tip."""
TURN = 0.35
"""Radians by which an action of 1 turns the gripper."""
SWITCH = 0.5
"""The gripper opens above it and closes below its negative."""
LOW, HIGH = np.array([0.14, -0.20, 0.004]), np.array([0.40, 0.20, 0.24])
"""The box in which the tip may move."""
CLEAR = 0.03
"""How far above the walls an object counts as extracted, in metres."""
NEAR = 0.08
"""How far from the tip it may be then."""
IMAGE = 48
N_STATE = 14


class Operation(gym.Env):
    """One of forty grasping tasks. Actions: dx, dy, dz, dyaw, gripper, each in [-1, 1].

    The observation is a state [14]: tip (x, y, z, yaw), opening of the gripper, object (x, y, z,
    sin and cos of its yaw), the container's centre (x, y), half its side, its height.
    The reward is -1 a step, and 1 at the end, when the object is out. A step costs 1 in which the
    arm touches the container.

    Args:
        task: number of the task, 0 to 39.
        images: observe 48 x 48 pixels [3, 48, 48] instead.
        blur: standard deviation, in metres, of the noise on the container's half side and on its
            height at each step: with it the observation hides what the last steps together reveal.
        render_mode: None or "rgb_array".

    Raises:
        ValueError: no such task, a negative blur, or another render mode.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}
    forgets_on_reset = True
    max_step_cost = 1.0

    def __init__(
        self,
        task: int = 0,
        images: bool = False,
        blur: float = 0.0,
        render_mode: str | None = None,
    ) -> None:
        if not (isinstance(task, (int, np.integer)) and 0 <= task < N_TASKS):
            raise ValueError(f"task must be an integer in [0, {N_TASKS}); got {task!r}")
        if not 0 <= blur < np.inf:
            raise ValueError(f"blur must be a finite number >= 0; got {blur!r}")
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.task = operation_tasks()[task]
        self.images, self.blur, self.render_mode = images, blur, render_mode
        self.action_space = gym.spaces.Box(-1.0, 1.0, (5,), np.float32)
        self.observation_space = (
            gym.spaces.Box(0, 255, (3, IMAGE, IMAGE), np.uint8)
            if images
            else gym.spaces.Box(-10.0, 10.0, (N_STATE,), np.float32)
        )
        self._scene: Scene | None = None
        self._centre = (0.27, 0.0)
        self._pose = Pose(0.2, 0.0, 0.15, 0.0)

    @property
    def scene(self) -> Scene:
        """The simulation, made when it is needed first."""
        if self._scene is None:
            self._scene = Scene(self.task)
        return self._scene

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray, dict[str, Any]]:
        """Container, object and arm at random."""
        super().reset(seed=seed)
        rng = self.np_random
        self._centre = float(rng.uniform(0.24, 0.30)), float(rng.uniform(-0.06, 0.06))
        beside = rng.uniform(-self.task.clearance, self.task.clearance, 2) / 6
        yaw = float(rng.uniform(-np.pi / 2, np.pi / 2))
        at = Pose(self._centre[0] + beside[0], self._centre[1] + beside[1], 0.0, yaw)
        start = rng.uniform([0.18, -0.15, 0.08], [0.34, 0.15, 0.18])
        x, y, z = map(float, start)
        self._pose = Pose(x, y, z, float(rng.uniform(-0.5, 0.5)))
        self.scene.reset(self._pose, self._centre, at)
        return self._seen(), {"cost": 0.0, "success": False}

    def step(self, action: ArrayLike) -> tuple[NDArray, float, bool, bool, dict[str, Any]]:
        """Move the tip; see the class."""
        used = np.clip(np.asarray(action, dtype=np.float64).reshape(5), -1.0, 1.0)
        place = np.clip(np.array(self._pose[:3]) + STEP * used[:3], LOW, HIGH)
        x, y, z = map(float, place)
        self._pose = Pose(x, y, z, self._pose.yaw + TURN * float(used[3]))
        grip = self.scene.grip
        if abs(used[4]) > SWITCH:
            grip = OPEN if used[4] > 0 else CLOSED
        touched = self.scene.step(self._pose, grip)
        success = self._is_out()
        info = {"cost": float(touched), "success": success}
        return self._seen(), 1.0 if success else -1.0, success, False, info

    def _is_out(self) -> bool:
        there = self.scene.object_pose()
        apart = np.linalg.norm(np.subtract(there[:3], self.scene.tip()[:3]))
        return bool(there.z > self.task.height + CLEAR and apart < NEAR)

    def _seen(self) -> NDArray:
        if self.images:
            return np.moveaxis(self.scene.image((IMAGE, IMAGE)), -1, 0).copy()
        return self.state(self.blur)

    def state(self, blur: float = 0.0) -> NDArray[np.float32]:
        """The state [14], whatever is observed; blurred only if asked for."""
        tip, thing, container = self.scene.tip(), self.scene.object_pose(), self.scene.container
        size = np.array(container)
        if blur:
            size += blur * self.np_random.standard_normal(2)
        return np.array(
            [*tip, self.scene.opening(), *thing[:3], np.sin(thing.yaw), np.cos(thing.yaw),
             *self._centre, *size], np.float32
        )  # fmt: skip

    def render(self) -> NDArray[np.uint8] | None:
        """The scene as a picture [H, W, 3]; None without a render mode."""
        return None if self.render_mode is None else self.scene.image((320, 240))

    def close(self) -> None:
        """End the simulation."""
        if self._scene is not None:
            self._scene.close()
            self._scene = None
