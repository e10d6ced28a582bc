"""An environment whose action is a latent z of a skill prior; Algorithm 1 of the paper."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from safer_gym.wrappers.skills.decoding import Decoder, Prior


class SkillActions(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """The action is z in [-eta, eta]^A; the environment does f(z; s, E[c | last observations]).

    The observation is what the prior makes of the environment's before all else: a state
    standardised by the data, an image as the features of its network [F].

    Any algorithm that learns continuous actions learns on it. `SkillPolicy` turns what it has
    learned into a policy of the environment itself.

    Args:
        env: with a bounded Box of actions.
        prior: a trained skill prior.
        eta: bound on z; the paper chooses it by Algorithm 3 (`safer_gym.agents.skills`).

    Raises:
        ValueError: the bound, or a space that does not fit the prior.
    """

    def __init__(self, env: gym.Env, prior: Prior, eta: float = 1.0) -> None:
        gym.utils.RecordConstructorArgs.__init__(self, prior=prior, eta=eta, _disable_deepcopy=True)
        gym.Wrapper.__init__(self, env)
        self.decoder = Decoder(prior, eta, env.action_space)
        self.decoder.check_observations(env.observation_space)
        self.action_space = self.decoder.latent_space
        self.observation_space = self.decoder.feature_space(env.observation_space)
        self._window: Any = None

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        obs, info = self.env.reset(**kwargs)
        self._window = self.decoder.push(None, obs[None], np.array([True]))
        return self.decoder.features(obs[None])[0], info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Decode z and do it; `info["decoded_action"]` is what was done."""
        if self._window is None:
            raise gym.error.ResetNeeded("call reset before step")
        done = self.decoder.actions(np.asarray(action)[None], self._window)[0]
        obs, reward, terminated, truncated, info = self.env.step(done)
        self._window = self.decoder.push(self._window, obs[None], np.array([False]))
        features = self.decoder.features(obs[None])[0]
        return features, reward, terminated, truncated, {**info, "decoded_action": done}
