"""From a latent action to an action: the last observations of each episode, and the prior."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Prior(Protocol):
    """What is asked of a skill prior, such as `safer_gym.agents.skills.SkillPrior`."""

    shape: Any
    """Has `window`, `action_size` and `observation_shape`."""

    def features(self, observations: Tensor) -> Tensor:
        """[B, F] of observations [B, *O]."""

    def act(self, z: Tensor, window: Tensor, length: Tensor) -> Tensor:
        """Actions in [-1, 1]^A [B, A] of latent ones [B, A], at windows of features [B, W, F]."""


class Window(NamedTuple):
    """The features of the last W observations of each of B episodes, the newest last."""

    features: NDArray[np.float32]
    """[B, W, F]; zeros before an episode's first."""
    length: NDArray[np.int64]
    """How many were seen, at most W [B]."""


class Decoder:
    """A prior, the bound on its latent actions, and the action box of the environment.

    Args:
        prior: see `Prior`.
        eta: latent actions lie in (-eta, eta).
        action_space: the environment's; a bounded Box.

    Raises:
        ValueError: a bound that is not finite and positive, or spaces that do not fit the prior.
    """

    def __init__(self, prior: Prior, eta: float, action_space: gym.Space) -> None:
        if not 0 < eta < np.inf:
            raise ValueError(f"eta must be a finite number > 0; got {eta!r}")
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
    def push(self, window: Window | None, obs: NDArray, starts: NDArray[np.bool_]) -> Window:
        """The windows with new observations [B, *O]; those that start anew hold nothing else."""
        newest = self.prior.features(torch.as_tensor(np.asarray(obs, np.float32))).numpy()
        rows, size = len(newest), self.prior.shape.window
        if window is None:
            empty = np.zeros((rows, size, newest.shape[1]), np.float32)
            window = Window(empty, np.zeros(rows, np.int64))
        keep = ~np.asarray(starts, dtype=bool)
        kept = window.features * keep[:, None, None]
        features = np.concatenate([kept[:, 1:], newest[:, None]], axis=1)
        return Window(features, np.minimum(window.length * keep + 1, size))

    @torch.no_grad()
    def actions(self, z: NDArray, window: Window) -> NDArray[np.float32]:
        """Actions of the environment [B, A] for latent ones [B, A], which are cut to the bound."""
        cut = torch.as_tensor(np.clip(np.asarray(z, np.float32), -self.eta, self.eta))
        found = self.prior.act(
            cut, torch.as_tensor(window.features), torch.as_tensor(window.length)
        )
        return (self._centre + self._half * found.double().numpy()).astype(np.float32)
