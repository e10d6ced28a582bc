"""A claim against the exact truth, many instances at once, and how much of it was needed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from safer_gym.tabular.cmdp import Bools, Floats

TOLERANCE = 1e-9
_TRIVIAL = 1e-6


class Comparison(NamedTuple):
    """truth <= bound, or truth == bound, in every instance; arrays of one shape."""

    truth: Floats
    bound: Floats
    base: Floats | float = 0.0
    """What holds without any attack: the part of `bound` that is no merit of the claim."""
    equal: bool = False

    @property
    def violated(self) -> Bools:
        """Where the claim fails by more than rounding, 1e-9 (1 + |bound|)."""
        excess = self.truth - self.bound
        excess = np.abs(excess) if self.equal else excess
        return ~(excess <= TOLERANCE * (1 + np.abs(self.bound)))

    @property
    def ratios(self) -> Floats:
        """(truth - base) / (bound - base) of the instances where the bound says anything, flat.

        Their largest is the factor by which the claim could shrink before an instance noticed:
        at 1 the claim is attained, and a test of it has power; at 0.5 it could be halved.
        """
        room, used = np.broadcast_arrays(self.bound - self.base, self.truth - self.base)
        telling = np.isfinite(room) & (np.abs(room) > _TRIVIAL * (1 + np.abs(self.bound)))
        return used[telling] / room[telling]


def joined(parts: list[Comparison]) -> Comparison:
    """The instances of several batches as one, flat."""
    flat = [np.broadcast_arrays(part.truth, part.bound, part.base) for part in parts]
    truth, bound, base = (np.concatenate([np.ravel(f[i]) for f in flat]) for i in range(3))
    return Comparison(truth, bound, base, parts[0].equal)
