"""Mean and deviation, over pooled episodes and over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.harness.records import Record

WORST = "worst_of_mc_mr"
"""The paper's Table 7: the attack of the two with the higher mean cost, and the reward under it."""


class Summary(NamedTuple):
    """A number of ours."""

    mean: float
    """Over the pooled episodes."""
    std: float
    """Over the pooled episodes, as in the paper (population)."""
    seeds_std: float | None
    """Of the seeds' means (sample); None for one seed."""
    seeds: int
    episodes: int


def summarise(parts: Sequence[NDArray[np.float64]]) -> Summary | None:
    """One array of episodes for each seed; None for no seed.

    >>> summarise([np.array([1.0, 3.0]), np.array([5.0, 7.0])])
    Summary(mean=4.0, std=2.23606797749979, seeds_std=2.8284271247461903, seeds=2, episodes=4)
    """
    if not parts:
        return None
    pooled = np.concatenate(parts)
    means = [part.mean() for part in parts]
    spread = float(np.std(means, ddof=1)) if len(means) > 1 else None
    return Summary(float(pooled.mean()), float(pooled.std()), spread, len(parts), len(pooled))


def summary_of(
    records: Sequence[Record], attack: str, metric: str, policy: str = "best"
) -> Summary | None:
    """A table's cell; runs without the attack are left out.

    Args:
        metric: "reward" or "cost".
        policy: the "best" one by score, or the "last" one.
    """
    if attack == WORST:
        attack = worst_attack(records, policy)
    values = [record.values(attack, metric, policy) for record in records]
    return summarise([value for value in values if value is not None])


def worst_attack(records: Sequence[Record], policy: str = "best") -> str:
    """MC or MR, whichever costs more in the mean."""

    def cost(attack: str) -> float:
        found = summary_of(records, attack, "cost", policy)
        return -np.inf if found is None else found.mean

    return max(("mc", "mr"), key=cost)
