"""From a latent action to an action: the last observations of each episode, and the prior."""

from __future__ import annotations

from typing import Any, Protocol

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safer_gym.domains import POSITIVE, require


class Prior(Protocol):
    """What is asked of a skill prior, such as `safer_gym.agents.skills.SkillPrior`."""

    shape: Any
    """Has `action_size` and `observation_shape`."""

    def remember(self, window: Any, observations: Tensor, starts: Tensor) -> Any:
        """The last observations of each episode with new ones [B, *O], which may begin one [B]."""

    def features(self, observations: Tensor) -> Tensor:
        """What it makes of observations [B, *O] before all else [B, F]."""

    def act(self, z: Tensor, window: Any) -> Tensor:
        """Actions in [-1, 1]^A [B, A] of latent ones [B, A]."""


class Decoder:
    """A prior, the bound on its latent actions, and the action box of the environment.

    Args:
        prior: see `Prior`.
        eta: latent actions lie in (-eta, eta).
        action_space: the environment's; a bounded Box.

    Raises:
        TypeError: a bound that is no number.
        ValueError: a bound that is not finite and positive, or spaces that do not fit the prior.
    """

    def __init__(self, prior: Prior, eta: float, action_space: gym.Space) -> None:
        require(POSITIVE, eta=eta)
        if not (isinstance(action_space, gym.spaces.Box) and action_space.is_bounded()):
            raise ValueError(f"action_space must be a bounded Box; got {action_space}")
        wanted = (prior.shape.action_size,)
        if action_space.shape != wanted:
            raise ValueError(f"the prior's actions have shape {wanted}; got {action_space}")
        self.prior, self.eta = prior, float(eta)
        high, low = action_space.high.astype(np.float64), action_space.low.astype(np.float64)
        self._centre, self._half = (high + low) / 2, (high - low) / 2
        self.action_space = action_space
        self.latent_space = gym.spaces.Box(-eta, eta, wanted, np.float32)

    def feature_space(self, space: gym.Space) -> gym.spaces.Box:
        """Of what the prior makes of observations in `space`."""
        example = np.zeros(self.prior.shape.observation_shape, space.dtype)
        return gym.spaces.Box(-np.inf, np.inf, self.features(example[None]).shape[1:], np.float32)

    @torch.no_grad()
    def features(self, obs: NDArray) -> NDArray[np.float32]:
        """What the latent policy sees of observations [B, *O]: [B, F]."""
        return self.prior.features(torch.as_tensor(np.asarray(obs, np.float32))).numpy()

    def check_observations(self, space: gym.Space) -> None:
        """Refuse observations that the prior does not read.

        Raises:
            ValueError: names both shapes.
        """
        if space.shape != tuple(self.prior.shape.observation_shape):
            raise ValueError(
                f"the prior reads observations of shape {tuple(self.prior.shape.observation_shape)}"
                f"; got {space}"
            )

    @torch.no_grad()
    def push(self, window: Any, obs: NDArray, starts: NDArray[np.bool_]) -> Any:
        """What the prior remembers with new observations [B, *O]; see `Prior.remember`."""
        seen = torch.as_tensor(np.asarray(obs, np.float32))
        return self.prior.remember(window, seen, torch.as_tensor(np.asarray(starts, dtype=bool)))

    @torch.no_grad()
    def actions(self, z: NDArray, window: Any) -> NDArray[np.float32]:
        """Actions of the environment [B, A] for latent ones [B, A], which are cut to the bound."""
        cut = torch.as_tensor(np.clip(np.asarray(z, np.float32), -self.eta, self.eta))
        found = self.prior.act(cut, window).double().numpy()
        return (self._centre + self._half * found).astype(np.float32)
