"""A box that holds a network's outputs for every observation an adversary may show."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds.cuts import bend, crown_of_cuts
from safer_gym.bounds.interval import Enclosure
from safer_gym.bounds.network import Layers, affine_layers, in_float64, unit_roundoff
from safer_gym.bounds.region import region_of
from safer_gym.domains import COUNT, require

__all__ = ["Enclosure", "enclose"]

CHUNK = 64
"""States at a time: a chunk's coefficients stay in the cache."""
_OWN = 8 * torch.finfo(torch.float64).eps
"""Round-off of the bounds themselves, as if the policy made it: they take a few passes."""
_CUTS = 3
_BENT = 0.02
"""Regions over which the first activation bends more than this are cut. On the packaged actors:
few states at eps 0.01, most at 0.05; boxes become 3 to 13 % narrower there."""


@torch.no_grad()
def enclose(layers: Layers, obs: Tensor, ball: LpBall, *, cuts: int | None = None) -> Enclosure:
    """Bounds [B, A] of the network's outputs over the ball around each observation [B, *O].

    They hold for the values that the network itself computes in its own dtype: round-off of
    the policy, and of the bounds, is added outward. Computed by CROWN, intersected with interval
    bounds, in float64. Each row's box depends on that row alone.

    Args:
        layers: of `safer_gym.bounds.network`; see `sequential_layers` and `policy_layers`.
        obs: clean observations.
        ball: what the adversary may do to each.
        cuts: cut each region into 2^cuts pieces, which narrows the boxes of large balls at so
            many times the cost. None: those linf balls over which the network bends.

    Raises:
        ValueError: layers or shapes that do not fit, observations that are not finite, cuts < 0.
    """
    require(COUNT.or_none, cuts=cuts)
    unit = unit_roundoff(layers) + _OWN
    exact, region = in_float64(layers), region_of(obs, ball, unit)
    affine = affine_layers(exact)
    inputs, read = region.center.shape[1], affine[0].weight.shape[1]
    if inputs != read:
        raise ValueError(f"the network reads {read} numbers; observations have {inputs}")
    # Half of an l1 or l2 ball is hardly smaller, as a linear function sees it.
    bent = (bend(exact, region) > _BENT) & (region.p == math.inf)
    box = region.center.new_empty(2, len(obs), len(affine[-1].bias))
    for rows, pieces in ((~bent, cuts or 0), (bent, _CUTS if cuts is None else cuts)):
        for part in rows.nonzero().squeeze(1).split(CHUNK):
            box[:, part] = torch.stack(crown_of_cuts(exact, region.rows(part), unit, pieces))
    return Enclosure(*box)
