"""Gymnasium's Walker2d-v5, pushed at the torso; it must not sink, leap or walk too fast.

h and the reward are those of a later work of DRAC's first author (MADAC, arXiv 2411.15036): h is
min(z - 1, (1.8 - z) / 1.8, (1.5 - v_x) / 1.5), and the reward v_x + 1 - 0.001 |a|^2 draws the
walker beyond 1.5 m/s. The push, at most 10 N along x and z, is ours.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from safer_gym.wrappers.force_disturbance import body_of
from safer_gym.wrappers.worlds.world import FARTHEST, Disturbed, start_of

try:
    from gymnasium.envs.mujoco.walker2d_v5 import Walker2dEnv
except DependencyNotInstalled as error:
    raise DependencyNotInstalled(
        "SaferGym/Walker2D-v0 needs MuJoCo: pip install 'safer-gym[mujoco]'"
    ) from error

PUSH = np.array([10.0, 10.0])
"""Newtons along x and z at bound 1."""
LOWEST, HIGHEST, FASTEST = 1.0, 1.8, 1.5
"""Metres of the torso above the ground, and its metres per second."""
NOISE = {"usual": 5e-3, "wide": 0.3}
"""Half-width of every coordinate and velocity of a first state, by the start's name."""


class Walker2D(Disturbed, Walker2dEnv):
    """Observations, actions, reward and falls are Walker2d-v5's.

    Args:
        bound: the disturbance box in units of 10 N; 0 is no disturbance.
        render_mode: of Gymnasium's MuJoCo environments.

    Raises:
        ValueError: a negative or infinite bound.
    """

    forgets_on_reset = True
    max_step_cost = 1.0

    def __init__(self, bound: float = 1.0, render_mode: str | None = None) -> None:
        Disturbed.__init__(self, bound, PUSH)
        Walker2dEnv.__init__(self, render_mode=render_mode)
        size = self.observation_space.shape
        self.observation_space = gym.spaces.Box(-FARTHEST, FARTHEST, size, np.float32)
        self._torso = body_of(self, "torso")

    def margin(self) -> float:
        """h of the present state."""
        height, speed = float(self.data.qpos[1]), float(self.data.qvel[0])
        return min(height - LOWEST, 1 - height / HIGHEST, 1 - speed / FASTEST)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """A first state near standing; `options={"start": "wide"}` draws it from farther away.

        Raises:
            ValueError: an option other than start, or another value of it.
        """
        self._reset_noise_scale = NOISE[start_of(options)]
        self.taken()
        obs, info = super().reset(seed=seed)
        return obs, info | self._safety()

    def step(  # type: ignore[override]
        self, action: Any
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Walker2d-v5's step, while the disturbance pushes the torso."""
        along_x, along_z = self.taken()
        with self._torso.pushed(np.array([along_x, 0.0, along_z])):
            obs, reward, terminated, truncated, info = super().step(action)
        return obs, float(reward), bool(terminated), truncated, info | self._safety()

    def _get_obs(self) -> NDArray[np.float32]:
        return np.asarray(super()._get_obs(), dtype=np.float32)

    def _safety(self) -> dict[str, float]:
        h = self.margin()
        return {"h": h, "cost": float(h < 0)}
