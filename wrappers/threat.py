"""What an attack on observations may do, in words: what eps counts, what stays as it is.

A number eps says little of images, of Dict observations and of stacked frames: reports say this
beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import gymnasium as gym
import numpy as np

from safer_gym.wrappers.env_layers import env_layers
from safer_gym.wrappers.obs_layout import ObsLayout


class Threat(NamedTuple):
    """An adversary of observations.

    Args:
        layout: of observations.
        unit: radius of each entry of the packed observation at eps = 1.
        stack: the wrapper that shows several frames at once; "" where there is none.
        remembers: whether the policy has a memory.
    """

    layout: ObsLayout
    unit: np.ndarray
    stack: str = ""
    remembers: bool = False

    def words(self, eps: Sequence[float]) -> tuple[str, ...]:
        """One sentence for each thing that the radii `eps` do not say."""
        return tuple(self._sentences([value for value in eps if value > 0]))

    def _sentences(self, eps: list[float]) -> Iterator[str]:
        radii = self.layout.by_key(self.unit)
        for key, box in self.layout.attacked().items():
            largest = float(radii[key].max(initial=0.0))
            if largest and self.layout.is_whole(key) and eps:
                steps = ", ".join(f"eps = {e:g} is {math.floor(e * largest)}" for e in eps)
                kind = "pixel steps" if box.dtype == np.uint8 else "whole steps"
                width = float(box.high.max()) - float(box.low.min())
                where = f" of {key!r}" if key else ""
                yield f"{steps} of {width:g} {kind}{where}: what is shown is rounded to whole ones"
        still = [key for key in self.layout.keys if not radii[key].any()]
        still += list(self.layout.frozen)
        if self.layout.is_dict and still:
            named = ", ".join(f"{key!r} ({self.layout.parts[key]})" for key in still)
            yield f"not attacked, and shown as it is: {named}"
        if self.stack:
            yield (
                f"{self.stack} shows a frame several times: the attack moves all frames of the "
                "stack anew at each step, a stronger adversary than one that moves each frame once"
            )
        if self.remembers:
            yield (
                "the policy has a memory: the attack moves what it is shown at each step, and the "
                "memory follows from what it was shown"
            )


def frame_stack(env: gym.Env) -> str:
    """The wrapper that shows several frames at once; "" where there is none."""
    *names, _ = (type(layer).__name__ for layer in env_layers(env))
    return next((name for name in names if "FrameStack" in name), "")
