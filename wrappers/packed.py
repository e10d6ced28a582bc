"""Environments whose observations are rows of numbers, whatever they are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from safer_gym.wrappers.gate.observations import ObservationCheck
from safer_gym.wrappers.obs_layout import ObsLayout, batch_of, packed_space
from safer_gym.wrappers.policies.view import PolicyView

MakeEnv = Callable[[], gym.Env]


class PackedObservations(gym.ObservationWrapper):
    """Shows each observation as `ObsLayout` packs it, after a look whether it is one of its space.

    Args:
        env: with observations of any space that can be packed.
    """

    def __init__(self, env: gym.Env) -> None:
        super().__init__(env)
        self._layout = ObsLayout(env.observation_space)
        self._check = ObservationCheck(env.observation_space, bounded=True)
        self.observation_space = packed_space(self._layout)

    def observation(self, observation: Any) -> NDArray[np.float32]:
        """One observation as float32.

        Raises:
            ValueError: an observation that is none of its space.
        """
        if fault := self._check.fault(observation):
            raise ValueError(f"the environment returned an observation {fault}")
        return self._layout.pack(batch_of(observation))[0].numpy().astype(np.float32)


@dataclass(frozen=True)
class Packing:
    """Makes an environment whose observations are packed."""

    make_env: MakeEnv

    def __call__(self) -> gym.Env:
        return PackedObservations(self.make_env())


def in_numbers(view: PolicyView, make_env: MakeEnv) -> tuple[PolicyView, MakeEnv]:
    """An admitted policy and its environments, both in packed observations.

    A Box of floats is packed as it is: then nothing changes.
    """
    assert view.layout is not None
    if view.layout.is_plain:
        return view, make_env
    return view.packed(), Packing(make_env)
