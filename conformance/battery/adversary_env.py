"""The adversary's own decision problem: see the truth, choose what the policy is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from safer_gym.balls import LpBall
from safer_gym.types import Victim
from safer_gym.wrappers.gate.environment import EnvironmentGate
from safer_gym.wrappers.gate.finite import check_finite


class AdversaryEnv(gym.Env):
    """Its observation is the true one, its action a place in the ball, its reward the cost.

    Args:
        make_env: makes the victim's environment, with `info["cost"]`.
        victim: who is deceived; it acts by its `action`.
        ball: what the adversary may do to an observation.
        temptation: weight of the victim's own reward in the adversary's. Cost is rare where a
            policy is safe, and what tempts a policy often leads there.

    An action a in [-1, 1]^O shows the projection of obs + eps a on the ball. `info` is the
    victim's, with `info["cost"]`.
    """

    def __init__(
        self,
        make_env: Callable[[], gym.Env],
        victim: Victim,
        ball: LpBall,
        temptation: float = 0.0,
    ) -> None:
        self.env = make_env()
        space = self.env.observation_space
        if not isinstance(space, gym.spaces.Box):
            raise TypeError(f"an adversary needs Box observations, the environment has {space}")
        self._gate = EnvironmentGate(space, bounded=False)
        self.victim, self.ball, self.temptation = victim, ball, temptation
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, space.shape, np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, space.shape, np.float32)
        self._obs: NDArray[np.float32] = np.zeros(space.shape, np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode of the victim's environment."""
        super().reset(seed=seed)
        obs, info = self._gate.reset(self.env.reset(seed=seed, options=options), seed)
        self._obs = np.asarray(obs, np.float32)
        return self._obs, info

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Show the victim something else, and let it act."""
        answer = self._gate.step(self.env.step(self._deceived(action)))
        obs, reward, terminated, truncated, info = answer
        self._obs = np.asarray(obs, np.float32)
        gain = self._gate.cost(info) + self.temptation * reward
        return self._obs, gain, terminated, truncated, info

    def close(self) -> None:
        """Close the victim's environment."""
        self.env.close()

    def _deceived(self, action: NDArray[np.float32]) -> Any:
        clean = torch.as_tensor(self._obs).unsqueeze(0)
        shown = moved(self.ball, clean, torch.as_tensor(action).reshape(clean.shape))
        with torch.no_grad():
            chosen = self.victim.action(shown)[0].cpu().numpy()
        check_finite(chosen, f" at the observation {shown[0].numpy()!r}")
        space: Any = self.env.action_space
        legal = np.clip(chosen.reshape(space.shape), space.low, space.high)
        return legal.astype(space.dtype)


def moved(ball: LpBall, obs: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
    """What an adversary's action in [-1, 1] shows, [B, *O]."""
    eps = ball.eps.to(obs)
    return ball.project(obs, obs + eps * action.clamp(-1.0, 1.0).to(obs))
