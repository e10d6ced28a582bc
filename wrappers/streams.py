"""Random streams of an adversary, one for each environment, and where its episode is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

Draw = Callable[[], int | None]
"""A number of the environment's own; asked only where nothing else says where a stream begins."""

_WORD = 0x5AFE


class Streams:
    """A generator, an episode and a step for each environment; row = one environment.

    Args:
        n_envs: how many environments.
        seed: part of every stream, beside the seed of a reset; None for none.
    """

    def __init__(self, n_envs: int, seed: int | None) -> None:
        self.steps = [0] * n_envs
        """Of the running episode; the observation of the reset is step 0."""
        self.episodes = [-1] * n_envs
        self._seed = None if seed is None else int(seed)
        self._generators: list[torch.Generator | None] = [None] * n_envs
        self._starts: list[Tensor | None] = [None] * n_envs

    def start(self, row: int, seed: int | None, draw: Draw) -> None:
        """An episode begins in `row`. With a seed, or at the first episode, so does its stream."""
        self.steps[row] = 0
        self.episodes[row] += 1
        generator = self._generators[row]
        if seed is not None or generator is None:
            generator = self._generators[row] = self._begin(row, seed, draw)
        self._starts[row] = generator.get_state()

    def generator(self, row: int) -> torch.Generator | None:
        """Where a row's stream is now; None before its first episode."""
        return self._generators[row]

    def rewind(self, row: int) -> None:
        """Put a row's stream back to where it was when the episode began."""
        generator, start = self._generators[row], self._starts[row]
        if generator is not None and start is not None:
            generator.set_state(start)

    def _begin(self, row: int, seed: int | None, draw: Draw) -> torch.Generator:
        own = 0 if self._seed is None else self._seed
        if seed is None:
            seed = row if self._seed is not None else draw()
        entropy = None if seed is None else [_WORD, own, seed]
        word = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])
        return torch.Generator().manual_seed(word >> 1)


def peek(generator: np.random.Generator) -> int:
    """The number that `generator` would draw next, without drawing it."""
    return int(copy.deepcopy(generator).integers(2**63))


def peek_vector(env: VectorEnv, row: int) -> int | None:
    """The same of one environment of a Gymnasium vector environment; None where it has none."""
    generators: Any = getattr(env.unwrapped, "np_random", None)
    if isinstance(generators, (tuple, list)):
        return peek(generators[row])
    return None if generators is None else peek(generators) + row


def peek_vec_env(venv: VecEnv, row: int) -> int | None:
    """The same of one environment of a Stable-Baselines3 vector environment."""
    try:
        return peek(venv.get_attr("np_random", row)[0])
    except AttributeError:
        return None
