"""What was learned on latent actions, as a policy of the environment itself."""

from __future__ import annotations

from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from safer_gym.wrappers.policies.normaliser import attached_normaliser
from safer_gym.wrappers.skills.decoding import Decoder, Prior


class LatentPolicy(Protocol):
    """A policy trained on `SkillActions`, such as a model of Stable-Baselines3."""

    observation_space: gym.Space

    def predict(self, observation: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Latent actions [B, A] at features [B, F], and None: no state."""


class SkillPolicy:
    """Chooses z by a latent policy, and does what the prior makes of it.

    It has a memory, the last observations of each episode, which `predict` takes and returns. It
    gives no gradients; the network that `safer_gym.agents.skills.network.SkillNetwork.of` makes of
    the same arguments does.

    Args:
        latent: see `LatentPolicy`.
        prior: the prior that it was trained with.
        eta: the bound that it was trained with.
        observation_space, action_space: the environment's.

    Raises:
        TypeError: a bound that is no number.
        ValueError: a bound or a space that does not fit the prior or the latent policy; a latent
            policy with a memory of its own, or behind a VecNormalize of observations.
    """

    def __init__(
        self,
        latent: LatentPolicy,
        prior: Prior,
        eta: float,
        observation_space: gym.spaces.Box,
        action_space: gym.spaces.Box,
    ) -> None:
        self.decoder = Decoder(prior, eta, action_space)
        self.decoder.check_observations(observation_space)
        seen = self.decoder.feature_space(observation_space).shape
        if latent.observation_space.shape != seen:
            raise ValueError(
                f"the latent policy must read features of shape {seen}; it reads "
                f"{latent.observation_space}"
            )
        _check_bound(latent, self.decoder)
        _check_asked_directly(latent)
        self.latent = latent
        self.observation_space, self.action_space = observation_space, action_space

    def predict(
        self,
        observation: NDArray,
        state: Any = None,
        episode_start: NDArray | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], Any]:
        """Actions and the next state, in Stable-Baselines3's form, of one observation or of B.

        Args:
            state: what the last call returned; None at the beginning of all episodes.
            episode_start: which of the episodes begin [B].
        """
        obs = np.asarray(observation)
        single = obs.shape == self.observation_space.shape
        obs = obs[None] if single else obs
        if episode_start is None:
            episode_start = np.full(len(obs), state is None)
        window = self.decoder.push(state, obs, np.asarray(episode_start, dtype=bool))
        features = self.decoder.features(obs)
        z, _ = self.latent.predict(features, deterministic=deterministic)
        actions = self.decoder.actions(z, window)
        return (actions[0] if single else actions), window


def _check_bound(latent: LatentPolicy, decoder: Decoder) -> None:
    trained = getattr(latent, "action_space", decoder.latent_space)
    if trained != decoder.latent_space:
        raise ValueError(
            f"eta must be that of the latent policy's environment, whose actions lie in {trained}; "
            f"got {decoder.eta!r}"
        )


def _check_asked_directly(latent: LatentPolicy) -> None:
    """The features of one step are all that it is given, and it is given them as they are."""
    if attached_normaliser(latent) is not None:
        raise ValueError(
            "the latent policy must read the prior's features, which are standardised, as they "
            "are; it was trained behind a VecNormalize of observations"
        )
    features = np.zeros((1, *(latent.observation_space.shape or ())), np.float32)
    if latent.predict(features, deterministic=True)[1] is not None:
        raise ValueError(
            f"the latent policy must act without a memory of its own; {type(latent).__name__} "
            "returns a state"
        )
