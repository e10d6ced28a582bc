"""One small task under many observations: Dict, images, scalars, text, stacked frames."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

HORIZON = 6
SIDE = 36


class Seen(gym.Env):
    """A point that the action pushes; a step costs 1 beyond a half.

    Args:
        kind: how it is seen, a key of `SPACES`.
    """

    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
    spec = gym.envs.registration.EnvSpec("Seen-v0", max_episode_steps=HORIZON)
    max_step_cost = 1.0

    def __init__(self, kind: str = "dict") -> None:
        self.kind, self.observation_space = kind, SPACES[kind]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.x, self.v = self.np_random.uniform(-0.4, 0.4, 2)
        self.t = 0
        return self._shown(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        self.v += 0.3 * float(np.reshape(action, -1)[0])
        self.x = float(np.clip(self.x + 0.3 * self.v, -3, 3))
        self.t += 1
        return self._shown(), -abs(self.x), False, self.t >= HORIZON, {"cost": float(self.x > 0.5)}

    def _shown(self) -> Any:
        x, v = np.array([self.x], np.float32), np.array([np.clip(self.v, -3, 3)], np.float32)
        image = np.full((SIDE, SIDE, 1), np.clip(127 + 40 * self.x, 0, 255), np.uint8)
        return {
            "dict": {"x": x, "v": v, "mode": np.int64(self.t % 3), "bits": np.ones(2, np.int8)},
            "mixed": {"image": image, "v": v},
            "image": image,
            "scalar": x[0],
            "text": {"x": x, "says": "left" if self.x < 0 else "right"},
            "plain": x,
        }[self.kind]


LINE = spaces.Box(-3.0, 3.0, (1,), np.float32)
PICTURE = spaces.Box(0, 255, (SIDE, SIDE, 1), np.uint8)
SPACES: dict[str, spaces.Space] = {
    "dict": spaces.Dict(
        {"x": LINE, "v": LINE, "mode": spaces.Discrete(3), "bits": spaces.MultiBinary(2)}
    ),
    "mixed": spaces.Dict({"image": PICTURE, "v": LINE}),
    "image": PICTURE,
    "scalar": spaces.Box(-3.0, 3.0, (), np.float32),
    "text": spaces.Dict({"x": LINE, "says": spaces.Text(5)}),
    "plain": LINE,
}
