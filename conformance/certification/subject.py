"""The policy and the environment, looked at once before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from safer_gym.balls import LpBall
from safer_gym.bounds import NotCoveredError
from safer_gym.conformance.certificate import EnvironmentRecord, PolicyRecord
from safer_gym.conformance.certification.divergence import Drawing
from safer_gym.conformance.certification.records import environment_record, policy_record
from safer_gym.types import Victim
from safer_gym.wrappers.smoothing import SmoothedPolicy
from safer_gym.wrappers.stochastic import stochastic_policy
from safer_gym.wrappers.victims import as_victim, attached_normaliser

SMOOTHED = "the policy behind observation noise has no deterministic mode"

MakeEnv = Callable[[], gym.Env]


class Subject(NamedTuple):
    """Who is certified, and where."""

    victim: Victim
    stochastic: Drawing | None
    why_deterministic: str
    """Why there is no stochastic mode; "" where there is one."""
    why_stochastic: str
    """Why there is no deterministic mode; "" where there is one."""
    make_env: MakeEnv
    ball: LpBall
    """At eps = 1."""
    shape: tuple[int, ...]
    """Of an observation."""
    policy: PolicyRecord
    environment: EnvironmentRecord

    @property
    def high(self) -> float | None:
        """Largest cost of an episode."""
        environment = self.environment
        if environment.horizon is None or environment.max_step_cost is None:
            return None
        return environment.horizon * environment.max_step_cost


def make_subject(
    policy: Any,
    make_env: MakeEnv | str,
    *,
    norm: str,
    scale: Any,
    max_step_cost: float | None,
    source: str | None,
    device: str,
) -> Subject:
    """Resolve what the user passed.

    Raises:
        ValueError, TypeError: an observation space that is not a Box, a scale that does not fit.
    """
    make = _maker(make_env)
    env = make()
    try:
        space = env.observation_space
        if not isinstance(space, gym.spaces.Box):
            raise TypeError(f"certify attacks Box observations, the environment has {space}")
        environment = environment_record(env, max_step_cost)
    finally:
        env.close()
    normaliser = attached_normaliser(policy)
    # What an adversary of a smoothed policy may differentiate is the policy inside.
    inside = policy.base if isinstance(policy, SmoothedPolicy) else policy
    victim = as_victim(inside, vec_normalize=normaliser, device=device)
    stochastic, why = _stochastic(policy, normaliser)
    return Subject(
        victim,
        stochastic,
        why,
        SMOOTHED if isinstance(policy, SmoothedPolicy) else "",
        make,
        LpBall.of(norm, _radii(scale, space.shape), low=space.low, high=space.high),
        space.shape,
        policy_record(policy, victim, space, source),
        environment,
    )


def _maker(make_env: MakeEnv | str) -> MakeEnv:
    if isinstance(make_env, str):
        name = make_env
        return lambda: gym.make(name)
    if not callable(make_env):
        raise TypeError(f"make_env must be a callable or a Gymnasium id, got {make_env!r}")
    return make_env


def _stochastic(policy: Any, normaliser: Any) -> tuple[Drawing | None, str]:
    if isinstance(policy, SmoothedPolicy):
        return policy, ""
    try:
        return stochastic_policy(policy, vec_normalize=normaliser), ""
    except NotCoveredError as error:
        return None, str(error)


def _radii(scale: Any, shape: tuple[int, ...]) -> Any:
    if scale is None:
        return 1.0
    radii = np.asarray(scale, dtype=float)
    if radii.shape != shape or not (np.isfinite(radii).all() and (radii >= 0).all()):
        raise ValueError(
            f"scale must be {shape} numbers >= 0, one for each entry of the observation; got "
            f"{scale!r}"
        )
    return radii
