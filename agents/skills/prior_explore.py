"""Prior-Explore, the baseline of Singh et al. (2021): SAC on raw actions, explored by a prior."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.noise import ActionNoise
from torch import Tensor

from safer_gym.agents.skills.prior import SkillPrior


class PriorExplore(SAC):
    """While it collects, the prior acts with probability delta: f(z; s, c) with z ~ N(0, I).

    Args:
        prior: a trained prior; it is not saved with the model.
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
        self._window: Tensor | None = None
        self._length = torch.zeros(self.n_envs, dtype=torch.long)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "prior", "_window", "_length"]

    @torch.no_grad()
    def _sample_action(
        self, learning_starts: int, action_noise: ActionNoise | None = None, n_envs: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        action, stored = super()._sample_action(learning_starts, action_noise, n_envs)
        if self.prior is None:
            return action, stored
        self._remember()
        assert self._window is not None
        z = torch.randn(n_envs, self.prior.shape.action_size)
        decoded = self.prior.act(z, self._window, self._length).numpy()
        chosen = torch.rand(n_envs, 1).numpy() < self.delta
        stored = np.where(chosen, decoded, stored)
        return self.policy.unscale_action(stored), stored

    def _remember(self) -> None:
        """Push the newest observation into the window of each environment."""
        assert self.prior is not None
        assert self._last_obs is not None
        newest = self.prior.features(torch.as_tensor(np.asarray(self._last_obs, np.float32)))
        if self._window is None or len(self._window) != len(newest):
            self._window = newest.new_zeros(len(newest), self.prior.shape.window, newest.shape[1])
        keep = torch.as_tensor(~np.asarray(self._last_episode_starts, dtype=bool))
        kept = self._window[:, 1:] * keep[:, None, None]
        self._window = torch.cat([kept, newest[:, None]], dim=1)
        self._length = (self._length * keep + 1).clamp(max=self.prior.shape.window)
