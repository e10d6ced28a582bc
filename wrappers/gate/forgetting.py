"""Does a reset with a seed begin the same episode, whatever ran before in the environment?

Measured is the first episode of an environment; deployed, one follows the other. A generator that
the constructor seeds and no reset reaches makes all first episodes alike, and the later ones not.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import closing
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from safer_gym.wrappers.gate.global_streams import GlobalStream

STEPS = 20
"""Of an episode that are looked at."""
RESIDUE = 1e-4
"""What a simulator may keep of earlier episodes in its last digits, relative to a number's size."""


def remembered(make_env: Callable[[], gym.Env], seeds: tuple[int, int] = (0, 1)) -> str:
    """Where the second episode of an environment differs from the first one of another with the
    same seed, under the same actions; "" where it does not.

    Args:
        make_env: makes one environment with Box observations.
        seeds: of the episode before, and of the one that is looked at.
    """
    runs = []
    for before in ((), seeds[:1]):
        with closing(make_env()) as env:
            for seed in before:
                _episode(env, seed)
            runs.append(_episode(env, seeds[1]))
    for step, (first, again) in enumerate(zip(*runs, strict=False)):
        if not _alike(first, again):
            return f"at step {step}" if step else "at its reset"
    return "" if len(runs[0]) == len(runs[1]) else "at its end"


def _episode(env: gym.Env, seed: int) -> list[NDArray]:
    """What the first steps show and cost, under seeded random actions."""
    actions = copy.deepcopy(env.action_space)
    actions.seed(seed)
    with GlobalStream(seed):
        shown = [_flat(env.reset(seed=seed)[0])]
        done = False
        while not done and len(shown) <= STEPS:
            obs, _, terminated, truncated, info = env.step(actions.sample())
            shown.append(np.append(_flat(obs), float(np.reshape(info["cost"], ()))))
            done = terminated or truncated
    return shown


def _flat(obs: Any) -> NDArray:
    return np.array(obs, dtype=np.float64).ravel()


def _alike(one: NDArray, other: NDArray) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=RESIDUE, atol=RESIDUE))
