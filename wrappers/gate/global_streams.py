"""The global random generators of Python, NumPy and torch, and private streams in their place.

Episodes that step side by side, or in forked processes, must not draw from one generator: they
would share, or repeat, each other's numbers.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch


class _Generator(NamedTuple):
    """How one global generator is read, written, and begun anew."""

    get: Callable[[], Any]
    set: Callable[[Any], None]
    seeded: Callable[[Sequence[int]], Any]
    """32-bit words to a state."""


def _torch_seeded(words: Sequence[int]) -> torch.Tensor:
    return torch.Generator().manual_seed((words[0] << 31) ^ words[1]).get_state()


GENERATORS: dict[str, _Generator] = {
    "random": _Generator(
        random.getstate,
        random.setstate,
        lambda words: random.Random(
            int.from_bytes(np.array(words, np.uint32).tobytes(), "little")
        ).getstate(),
    ),
    "numpy.random": _Generator(
        np.random.get_state,
        np.random.set_state,
        lambda words: np.random.RandomState(words).get_state(),
    ),
    "torch": _Generator(torch.get_rng_state, torch.set_rng_state, _torch_seeded),
}

States = Mapping[str, Any]
"""By name of the generator."""


def states() -> States:
    """Where the global generators stand."""
    return {name: generator.get() for name, generator in GENERATORS.items()}


def restore(kept: States) -> None:
    """Put the generators back to where they stood."""
    for name, state in kept.items():
        GENERATORS[name].set(state)


def drawn_since(kept: States) -> tuple[str, ...]:
    """The generators that stand elsewhere now: somebody drew from them."""
    return tuple(name for name, state in kept.items() if not _same(state, GENERATORS[name].get()))


class GlobalStream:
    """`with stream: env.step(...)`: what the block draws from global generators comes from here.

    The stream goes on in the next block; the generators themselves are left as they were found.

    Args:
        entropy: integers >= 0; the same ones give the same stream.
        names: of the generators that the stream stands in for; default: all.
    """

    def __init__(self, *entropy: int, names: Sequence[str] = tuple(GENERATORS)) -> None:
        words = np.random.SeedSequence(entropy).generate_state(4, np.uint32).tolist()
        self._own = {name: GENERATORS[name].seeded(words) for name in names}
        self._outer: States = {}

    def __enter__(self) -> GlobalStream:
        self._outer = {name: GENERATORS[name].get() for name in self._own}
        restore(self._own)
        return self

    def __exit__(self, *_: object) -> None:
        self._own = {name: GENERATORS[name].get() for name in self._own}
        restore(self._outer)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    return pickle.dumps(one) == pickle.dumps(other)
