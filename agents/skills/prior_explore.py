"""Prior-Explore, the baseline of Singh et al. (2021): SAC on raw actions, explored by a prior."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.noise import ActionNoise

from safer_gym.agents.skills.prior import SkillPrior, Window


class PriorExplore(SAC):
    """While it collects, the prior acts with probability delta: f(z; s, c) with z ~ N(0, I).

    Args:
        prior: a trained prior; it is not saved with the model. None takes the attribute `prior`
            of the environment when the collection begins, also of a model that was loaded.
        delta: the paper's 0.9.
        args, kwargs: SAC's.

    Raises:
        ValueError: delta is no probability.
    """

    def __init__(
        self, *args: Any, prior: SkillPrior | None = None, delta: float = 0.9, **kwargs: Any
    ) -> None:
        if not 0 <= delta <= 1:
            raise ValueError(f"delta must lie in [0, 1]; got {delta!r}")
        super().__init__(*args, **kwargs)
        self.prior, self.delta = prior, delta
        self._window: Window | None = None

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "prior", "_window"]

    def _store_transition(
        self,
        replay_buffer: ReplayBuffer,
        buffer_action: np.ndarray,
        new_obs: Any,
        reward: np.ndarray,
        dones: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        super()._store_transition(replay_buffer, buffer_action, new_obs, reward, dones, infos)
        self._last_episode_starts = dones  # SAC leaves it as at the very first step

    @torch.no_grad()
    def _sample_action(
        self, learning_starts: int, action_noise: ActionNoise | None = None, n_envs: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        _, stored = super()._sample_action(learning_starts, action_noise, n_envs)
        if self.prior is None:
            assert self.env is not None
            self.prior = self.env.get_attr("prior")[0]
        observed = torch.as_tensor(np.asarray(self._last_obs, np.float32))
        starts = torch.as_tensor(np.asarray(self._last_episode_starts, dtype=bool))
        self._window = self.prior.remember(self._window, observed, starts)
        z = torch.randn(n_envs, self.prior.shape.action_size)
        decoded = self.prior.act(z, self._window).numpy()
        chosen = torch.rand(n_envs, 1).numpy() < self.delta
        stored = np.where(chosen, decoded, stored)
        return self.policy.unscale_action(stored), stored
