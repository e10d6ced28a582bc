"""Where the runs train: a grasping task with a blurred container, maybe through a prior."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import gymnasium as gym

from safer_gym.agents.skills import SkillPrior
from safer_gym.wrappers.skills import SkillActions
from safer_gym.wrappers.tasks import Task, find_task

BLUR = 0.015
"""Noise on what is seen of the container's size, in metres: the observation hides it, the last
observations together reveal it."""

load_prior = cache(SkillPrior.load)


def blurred(name: str) -> Task:
    """A grasping task as all runs meet it."""
    return replace(find_task(name), env_args={"blur": BLUR})


def skilled(task: str, prior: str, eta: float) -> gym.Env:
    """The task acted on through a prior.

    Args:
        prior: its file.
        eta: bound on latent actions.
    """
    return SkillActions(blurred(task).make(), load_prior(prior), eta)


class _Beside(gym.Wrapper):
    """Shows a prior to the algorithm."""

    def __init__(self, env: gym.Env, prior: SkillPrior) -> None:
        super().__init__(env)
        self.prior = prior


def explored(task: str, prior: str) -> gym.Env:
    """The task itself, whose attribute `prior` `PriorExplore` takes."""
    return _Beside(blurred(task).make(), load_prior(prior))
