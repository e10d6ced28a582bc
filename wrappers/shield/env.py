"""An environment behind a shield: anything can learn there."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.utils import RecordConstructorArgs

from safer_gym.domains import NOT_NEGATIVE, require
from safer_gym.wrappers.shield.shield import Shield

INFO_KEY = "shield"


class ShieldedEnv(gym.Wrapper, RecordConstructorArgs):
    """Sends the shield's action instead of the one it is given.

    `info["sent_action"]` is what was sent, so that a replay buffer with the signal
    `Signal("sent_action", shape, "first")` keeps both actions. `info["shield"]` says "moved",
    "alarm" and "feasible" of the step. With `penalty` an algorithm also feels how far its action
    was from the one that was sent.

    The shield sees the observations of `env`: put it behind an observation adversary to train
    behind the lies that it was built for.

    Args:
        env: with Box observations and actions.
        shield: the filter.
        penalty: what the reward loses for each unit of distance between the two actions.
    """

    def __init__(self, env: gym.Env, shield: Shield, penalty: float = 0.0) -> None:
        require(NOT_NEGATIVE, penalty=penalty)
        RecordConstructorArgs.__init__(self, _disable_deepcopy=True, shield=shield, penalty=penalty)
        gym.Wrapper.__init__(self, env)
        if not isinstance(env.action_space, gym.spaces.Box):
            raise TypeError(f"a shield needs Box actions, the environment has {env.action_space}")
        self.shield, self.penalty = shield, float(penalty)
        self._prior = shield.begin(1)
        self._obs: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; nothing is known of its state."""
        self._obs, info = self.env.reset(seed=seed, options=options)
        self._prior = self.shield.begin(1)
        return self._obs, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Filter the action and send it."""
        space: Any = self.action_space
        task: Any = np.clip(np.asarray(action, np.float64), space.low, space.high)
        step = self.shield.step(_row(self._obs), _row(task), self._prior)
        self._prior = step.prior
        sent = step.action[0].numpy().astype(space.dtype)
        self._obs, reward, terminated, truncated, info = self.env.step(sent)
        told = {
            "moved": bool(step.moved[0]),
            "alarm": bool(step.alarm[0]),
            "feasible": bool(step.feasible[0]),
        }
        lost = self.penalty * float(np.linalg.norm(task - sent))
        info = {**info, INFO_KEY: told, "sent_action": sent}
        return self._obs, float(reward) - lost, terminated, truncated, info


def _row(values: Any) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values)).unsqueeze(0)
