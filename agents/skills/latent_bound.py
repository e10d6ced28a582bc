"""The bound eta on latent actions within which a share of the data is safe; Algorithm 3.

A point of the data lies within the bound where every entry of z = f^-1(a; s, c) does, so all that
counts of it is its largest absolute entry.
"""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from safer_gym.domains import CAP, require

ROUNDS = 1000


def sampled_bound(
    safe: Tensor,
    unsafe: Tensor,
    share: float,
    generator: torch.Generator,
    start: float = math.inf,
    rounds: int = ROUNDS,
) -> float:
    """Algorithm 3 as printed: shrink the bound to a sub-sample with the wanted share, and repeat.

    Two guards are ours: a sub-sample takes what there is where it asks for more, and a search that
    runs out of points, or of rounds, ends.

    Args:
        safe, unsafe: largest absolute entry of each point's z, [S] and [U].
        share: of safe points within the bound, in (0, 1]; the paper's epsilon.
        generator: chooses the sub-samples.
        start: eta_0. inf begins with all points: where both classes weigh the same and the share is
            above a half, every round then keeps all safe points, so that the search stalls at their
            largest entry. Begin where latent actions become rare: 3 of their standard deviations.
        rounds: the most.

    Raises:
        ValueError: share or start.

    Returns:
        eta; 0 where no bound was found, with a warning.
    """
    _check(share)
    require(CAP, start=start)
    bound = start
    for _ in range(rounds):
        within = safe[safe <= bound], unsafe[unsafe <= bound]
        total = sum(map(len, within))
        kept = [
            points[torch.randperm(len(points), generator=generator)[:wanted]]
            for points, wanted in zip(
                within, (math.floor(total * share), math.floor(total * (1 - share))), strict=True
            )
        ]
        chosen = torch.cat(kept)
        if not len(chosen):
            break
        bound = float(chosen.max())
        if safe_share(safe, unsafe, bound) >= share:
            return bound
    warnings.warn(f"no bound has a share of {share:g} safe points within it", stacklevel=2)
    return 0.0


def exact_bound(safe: Tensor, unsafe: Tensor, share: float) -> float:
    """The largest bound with the wanted share of safe points within it; 0 where there is none.

    Args: see `sampled_bound`.
    """
    _check(share)
    points = torch.cat([safe, unsafe])
    is_safe = torch.cat([torch.ones_like(safe), torch.zeros_like(unsafe)])
    ordered, order = points.sort()
    so_far = is_safe[order].double().cumsum(0)
    last_of_ties = torch.searchsorted(ordered, ordered, right=True) - 1
    shares = so_far[last_of_ties] / (last_of_ties + 1)
    reached = ordered[shares >= share]
    return float(reached[-1]) if len(reached) else 0.0


def safe_share(safe: Tensor, unsafe: Tensor, bound: float) -> float:
    """Share of safe points among those within the bound; 1 where there are none."""
    inside, outside = int((safe <= bound).sum()), int((unsafe <= bound).sum())
    return inside / (inside + outside) if inside + outside else 1.0


def balanced(points: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` points drawn with replacement, so that both classes weigh the same.

    The share within a bound depends on that in the data: where 6 % of the data is unsafe, a bound
    for 15 % is infinite.
    """
    return points[torch.randint(len(points), (count,), generator=generator)]


def _check(share: float) -> None:
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1]; got {share!r}")
