"""Enclosures that carry gradients: what a policy is trained on, so that it can be certified later.

An `Enclosure` of `enclose` proves something of a finished network. Here the weights are still
learning: the boxes are differentiable in them, computed in the network's own dtype, and cheap
(CROWN backward from the outputs alone, over intermediate boxes by intervals: CROWN-IBP, Zhang et
al. 2020). They hold up to round-off, and are never meant as evidence.
"""

from __future__ import annotations

import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.bounds.crown import Step, lower_bounds
from safer_gym.bounds.interval import Enclosure, interval_step, meet
from safer_gym.bounds.network import Affine, affine_layers
from safer_gym.bounds.policy import PolicyLayers
from safer_gym.bounds.region import region_of
from safer_gym.bounds.relaxations import relax


def live_mean_box(policy: PolicyLayers, obs: Tensor, ball: LpBall) -> Enclosure:
    """A box [B, A] for the mean action over the ball around each observation [B, *O].

    Args:
        policy: its last layer gives the mean alone; see `live_layers` for weights with gradients.

    Raises:
        ValueError: a network that does not end in an affine layer of A outputs.
    """
    *hidden, last = policy.layers
    if not isinstance(last, Affine) or len(last.bias) != policy.action_dim:
        raise ValueError(
            f"the network must end in an affine layer of {policy.action_dim} outputs, the mean"
        )
    region = region_of(obs, ball).to(affine_layers(policy.layers)[0].weight.dtype)
    box, steps = region.box, []
    for layer in hidden:
        steps.append(Step(layer, None if isinstance(layer, Affine) else relax(layer, box)))
        box = interval_step(layer, box)
    rows = torch.cat([last.weight, -last.weight])
    bounds = lower_bounds(rows, steps, region) + torch.cat([last.bias, -last.bias])
    lower, negative_upper = bounds.chunk(2, dim=1)
    raw = meet(Enclosure(lower, -negative_upper), interval_step(last, box))
    return Enclosure(*(policy.decode_mean(end) for end in raw))


def squared_shift(box: Enclosure, mean: Tensor, scale: Tensor) -> Tensor:
    """The largest m^2 [B] in the box: what a step takes from the Gaussian filter's budget M^2.

    Differentiable in all of them, also where the box is a point.

    Args:
        mean: the policy's own [B, A], inside the box.
        scale: its deviations [B, A] or [A].
    """
    reach = torch.maximum(box.upper - mean, mean - box.lower)
    return (reach / scale).square().sum(-1)
