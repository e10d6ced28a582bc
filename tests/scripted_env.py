"""An environment that plays a script of costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class ScriptedCosts(gymnasium.Env):
    """Episode by episode, step by step, gives the next entry of `script` as its info.

    An entry is a cost, a dict (the info itself), or None (no cost). The observation is
    [episode, step], with `reuse` always in the same array, as some environments do. The last
    step of an episode truncates it. The reward is twice the action.
    """

    metadata = {"render_modes": []}

    def __init__(self, script: Sequence[Sequence[Any]], reuse: bool = False) -> None:
        self.script, self.reuse = script, reuse
        self.observation_space = spaces.Box(-100.0, 100.0, (2,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
        self._obs = np.zeros(2, np.float32)
        self._episode = -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._episode = 0 if seed is not None else (self._episode + 1) % len(self.script)
        self._step = 0
        return self._look(), {}

    def step(self, action):
        entry = self.script[self._episode][self._step]
        self._step += 1
        info = entry if isinstance(entry, dict) else {} if entry is None else {"cost": entry}
        over = self._step == len(self.script[self._episode])
        return self._look(), 2.0 * float(action[0]), False, over, dict(info)

    def _look(self):
        self._obs[:] = self._episode, self._step
        return self._obs if self.reuse else self._obs.copy()


def play(env: gymnasium.Env, episodes: int = 1) -> list[list[dict[str, Any]]]:
    """The infos of some episodes, step by step."""
    played = []
    for episode in range(episodes):
        env.reset(seed=0 if episode == 0 else None)
        infos, over = [], False
        while not over:
            *_, terminated, truncated, info = env.step(np.zeros(1, np.float32))
            infos.append(info)
            over = terminated or truncated
        played.append(infos)
    return played
