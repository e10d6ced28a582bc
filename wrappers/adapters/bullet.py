"""Bullet-Safety-Gym's tasks as Gymnasium environments."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from safer_gym.choices import choose
from safer_gym.wrappers.adapters.bullet_camera import picture
from safer_gym.wrappers.adapters.bullet_engine import load_engine
from safer_gym.wrappers.adapters.bullet_tasks import bullet_spec
from safer_gym.wrappers.adapters.bullet_world import BulletWorld
from safer_gym.wrappers.tasks import TaskGeometry

OBS_LIMIT = 1000.0

Observation = NDArray[np.float32]


class BulletTask(gymnasium.Env[Observation, NDArray[np.float32]]):
    """One task, with the physics of Bullet-Safety-Gym 1.1.0 whichever release is installed.

    Args:
        task: its name, such as `"ball-circle"`; see `adapters.bullet_tasks`.
        render_mode: None or `"rgb_array"` (a software renderer: needs no display).

    The same seed gives the same episode, in any process and whatever ran before. Actions are
    clipped to [-1, 1] for every robot. Each step's `info` holds `"cost"`, its parts `"cost_*"`
    and `"position"`, the robot's true place in the plane [2]. Time limits are Gymnasium's
    (`gymnasium.make` adds them); an environment built directly has none.

    A copy (`copy.deepcopy`, `pickle`) is a new world built by the same arguments, before its
    first reset: a physics server cannot be shared.

    Raises:
        ValueError: no such task, or no such render mode.
        gymnasium.error.DependencyNotInstalled: the `bullet` extra is missing.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 30}
    forgets_on_reset = True
    """Episodes may share an environment: a reset leaves no trace of what was before."""

    def __init__(self, task: str, render_mode: str | None = None) -> None:
        self.task = bullet_spec(task)
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": round(1 / self.task.dt)}
        self.observation_space = spaces.Box(
            -OBS_LIMIT, OBS_LIMIT, (self.task.obs_size,), np.float32
        )
        self.action_space = spaces.Box(-1.0, 1.0, (self.task.action_size,), np.float32)
        self._world: BulletWorld | None = BulletWorld(load_engine(), self.task)
        self._episode_seed, self._steps = 0, 0

    @property
    def geometry(self) -> TaskGeometry:
        """Where the task's safe set ends."""
        return self.task.geometry

    @property
    def max_step_cost(self) -> float | None:
        """The most that one step can cost; None where collisions are counted without end."""
        return None if self.task.family == "push" else 1.0

    @property
    def world(self) -> BulletWorld:
        """The simulation.

        Raises:
            gymnasium.error.ClosedEnvironmentError: after `close`.
        """
        if self._world is None:
            raise gymnasium.error.ClosedEnvironmentError(f"{self.task.id} has been closed.")
        return self._world

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a new episode. `options` are not used."""
        super().reset(seed=seed)
        self._episode_seed = int(self.np_random.integers(2**32))
        self._steps = 0
        self.world.reset(self._episode_seed)
        return self.world.observation(), {"position": self.world.position()}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act for one control step.

        Raises:
            ValueError: the action has another shape than the action space, or is not finite.
        """
        world = self.world
        world.step(self._checked(action))
        self._steps += 1
        goal_seed = (self._episode_seed + self._steps) % 2**32
        reward, info, terminated = world.outcome(goal_seed)
        return (
            world.observation(),
            reward,
            terminated,
            False,
            {**info, "position": world.position()},
        )

    def _checked(self, action: NDArray[np.float32]) -> NDArray[np.float64]:
        values = np.asarray(action, dtype=np.float64)
        if values.shape != self.action_space.shape:
            raise ValueError(
                f"action must have shape {self.action_space.shape}; got shape {values.shape}."
            )
        if not np.isfinite(values).all():
            raise ValueError(f"action must be finite; got {values}.")
        return np.clip(values, -1.0, 1.0)

    def render(self) -> NDArray[np.uint8] | None:
        """The scene as an image [height, width, 3], or None without a render mode."""
        return picture(self.world) if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Shut the physics server down. Safe to call again."""
        if self._world is not None:
            self._world.close()
            self._world = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.task.name, self.render_mode)

    def __del__(self) -> None:
        if getattr(self, "_world", None) is not None:
            self.close()
