"""(B) for an undiscounted episode: benign and attacked actions coupled, step by step.

At state s the two actions can be drawn together so that they differ with probability
delta(s) = sup over the ball of their total variation. Until they first differ the attacked episode
is the benign one; after that anything may happen.

delta(s_t) adds up along a path as the hazard h_t = -log(1 - delta(s_t)). If the hazards of an
episode sum to at most L *surely*, the two episodes part with probability at most 1 - exp(-L), for
exp(sum of h) as long as they have not parted is a submartingale: each step multiplies it by
(1 - TV) / (1 - delta) >= 1 in the mean. With one delta for all states this is 1 - (1 - delta)^H.
That the sum is bounded surely matters: 1 - E[exp(-sum of h)] over benign paths is *no* bound, since
an adversary who is not yet caught leads to paths of its own choice. As in `filters`, let the event
hold an overrun of the budget L, and bound its probability.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from safer_gym.bounds.filters import nonnegative, plain, probability


def step_hazard(tv: Tensor) -> Tensor:
    """-log(1 - tv) of total variations in [0, 1], any shape; infinite at 1."""
    return -torch.log1p(-tv)


def coupled_rate(p: Any, hazard: Any) -> Any:
    """(B): P'(E) <= P(E) + 1 - exp(-hazard), attained; p and 1 do not mix to (1 - delta) p + delta.

    The adversary may part from the benign episode exactly where that would have missed E.

    Args:
        p: P(E) without an adversary, E holding an overrun of the budget.
        hazard: sum over the episode of -log(1 - delta(s_t)), at most this surely.

    Raises:
        ValueError: p outside [0, 1], a negative hazard or NaN.
    """
    parted = -np.expm1(-nonnegative("hazard", hazard))
    return plain(np.minimum(probability("p", p) + parted, 1.0))
