"""Where the runs train: a grasping task with a blurred container, maybe through a prior."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from safer_gym.agents.skills import SkillPrior
from safer_gym.agents.skills.encoder import make_encoder
from safer_gym.wrappers.skills import SkillActions
from safer_gym.wrappers.tasks import Task, find_task

BLUR = 0.015
"""Noise on what is seen of the container's size, in metres: the observation hides it, the last
observations together reveal it."""

load_prior = cache(SkillPrior.load)


def blurred(name: str) -> Task:
    """A grasping task as all runs meet it."""
    return replace(find_task(name), env_args={"blur": BLUR})


def latent(task: str, prior: str, eta: float) -> gym.Env:
    """The task acted on through a prior.

    Args:
        prior: its file.
        eta: bound on latent actions.
    """
    return SkillActions(blurred(task).make(), load_prior(prior), eta)


class Standardised(gym.ObservationWrapper):
    """States by the mean and deviation of the data, as `SkillActions` shows them.

    The attribute `prior` is the prior for such states; `PriorExplore` takes it.
    """

    def __init__(self, env: gym.Env, prior: SkillPrior) -> None:
        super().__init__(env)
        self.observation_space = gym.spaces.Box(
            -np.inf, np.inf, prior.shape.observation_shape, np.float32
        )
        self._features = prior.features
        self.prior = copy.deepcopy(prior)
        self.prior.encoder.load_state_dict(make_encoder(prior.shape.observation_shape).state_dict())

    @torch.no_grad()
    def observation(self, observation: NDArray) -> NDArray[np.float32]:
        return self._features(torch.as_tensor(observation[None])).numpy()[0]


def explored(task: str, prior: str) -> gym.Env:
    """The task itself, with a prior that `PriorExplore` takes."""
    return Standardised(blurred(task).make(), load_prior(prior))


raw = explored
"""The task itself; SAC leaves the prior alone."""
