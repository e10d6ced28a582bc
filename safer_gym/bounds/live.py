"""Enclosures that carry gradients: what a policy is trained on, so that it can be certified later.

`enclose` proves something of a finished network. Here the weights are still learning: the boxes are
differentiable in them and computed in the network's own dtype. They are those of CROWN, as in
`enclose`, without what costs most there: no better slopes for the last bounds, no cuts of large
balls, no room for round-off. So they hold up to round-off, and are not evidence.
"""

from __future__ import annotations

import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds.crown import crown
from safer_gym.bounds.interval import Enclosure
from safer_gym.bounds.network import affine_layers
from safer_gym.bounds.policy import PolicyLayers
from safer_gym.bounds.region import region_of


def live_mean_box(policy: PolicyLayers, obs: Tensor, ball: LpBall) -> Enclosure:
    """A box [B, A] for the mean action over the ball around each observation [B, *O].

    Args:
        policy: all of whose outputs are the mean; see `live_layers` for weights with gradients.

    Raises:
        ValueError: a network that also gives deviations.
    """
    last = affine_layers(policy.layers)[-1]
    if len(last.bias) != policy.action_dim:
        raise ValueError(
            f"the network must give the {policy.action_dim} numbers of the mean alone; it gives "
            f"{len(last.bias)}"
        )
    raw = crown(policy.layers, region_of(obs, ball).to(last.weight.dtype), 0.0, refine=False)
    return Enclosure(*(policy.decode_mean(end) for end in raw))


def squared_shift(box: Enclosure, mean: Tensor, scale: Tensor) -> Tensor:
    """The largest m^2 [B] in the box: what a step takes from the Gaussian filter's budget M^2.

    Differentiable in all three, also where the box is a point.

    Args:
        mean: the policy's own [B, A], inside the box.
        scale: its deviations [B, A] or [A].
    """
    reach = torch.maximum(box.upper - mean, mean - box.lower)
    return (reach / scale).square().sum(-1)
