"""A box that holds a network's outputs for every observation an adversary may show."""

from __future__ import annotations

import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds.crown import crown
from safer_gym.bounds.interval import Enclosure
from safer_gym.bounds.network import Layers, affine_layers, in_float64, unit_roundoff
from safer_gym.bounds.region import region_of

__all__ = ["Enclosure", "enclose"]

CHUNK = 64
"""States at a time: a chunk's coefficients stay in the cache."""
_OWN = 8 * torch.finfo(torch.float64).eps
"""Round-off of the bounds themselves, as if the policy made it: they take a few passes."""


@torch.no_grad()
def enclose(layers: Layers, obs: Tensor, ball: LpBall) -> Enclosure:
    """Bounds [B, A] of the network's outputs over the ball around each observation [B, *O].

    They hold for the values that the network itself computes in its own dtype: round-off of
    the policy, and of the bounds, is added outward. Computed by CROWN, intersected with interval
    bounds, in float64.

    Args:
        layers: of `safer_gym.bounds.network`; see `sequential_layers` and `policy_layers`.
        obs: clean observations.
        ball: what the adversary may do to each.

    Raises:
        ValueError: layers or shapes that do not fit, observations that are not finite.
    """
    unit = unit_roundoff(layers) + _OWN
    exact, region = in_float64(layers), region_of(obs, ball, unit)
    affine = affine_layers(exact)
    inputs, read = region.center.shape[1], affine[0].weight.shape[1]
    if inputs != read:
        raise ValueError(f"the network reads {read} numbers; observations have {inputs}")
    parts = [
        crown(exact, region.rows(slice(start, start + CHUNK)), unit)
        for start in range(0, len(obs), CHUNK)
    ]
    if not parts:
        empty = obs.new_zeros(0, len(affine[-1].bias), dtype=torch.float64)
        return Enclosure(empty, empty)
    return Enclosure(*(torch.cat(ends) for ends in zip(*parts, strict=True)))
