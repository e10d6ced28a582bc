"""The multiplier of a policy: a network of the state, one number, or the augmented one's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor
from torch.nn.functional import softplus

from safer_gym.agents.drac.losses import (
    ascent_multiplier_loss,
    augmented_multiplier,
    split_multiplier_loss,
)
from safer_gym.agents.drac.options import MultiplierOptions


@torch.no_grad()
def present_multiplier(policy: Any, obs: PyTorchObs, cap: float) -> Tensor:
    """lambda(x) [B], or one number [], at most `cap`.

    Args:
        policy: a DRACPolicy with a constraint.
    """
    if policy.constraint == "augmented":
        return policy.lam
    lam: Tensor = policy.multiplier(obs) if policy.constraint == "network" else policy.multiplier()
    return lam.clamp(max=cap)


def renew_multiplier(
    policy: Any,
    obs: PyTorchObs,
    q_safety: Tensor,
    inside: Tensor,
    options: MultiplierOptions,
    move: Callable[..., None],
) -> dict[str, Tensor]:
    """A step of lambda on Q_h of the task policy's controls, [B]; returns what is logged.

    Args:
        inside: bool [B]; see `inside_set`.
        move: takes a name, a network, its loss and the gradients of its weights.
    """
    if options.constraint == "augmented":
        if inside.any():
            rest = (options.rho, options.augmented_rate, options.max_lam)
            policy.lam.copy_(augmented_multiplier(policy.lam, q_safety[inside], *rest))
        return {"lagrange_multiplier": policy.lam.clone()}
    if options.constraint == "scalar":
        lam = policy.multiplier()
        loss = split_multiplier_loss(lam, q_safety, inside, options.max_lam).inside
        found = torch.autograd.grad(loss, [policy.multiplier.log])
    else:
        outputs, learn = policy.multiplier.heard(obs)
        lam = softplus(outputs.squeeze(1))
        if options.multiplier_loss == "split":
            parts = split_multiplier_loss(lam, q_safety, inside, options.max_lam)
            loss = parts.inside + parts.outside
        else:
            loss = ascent_multiplier_loss(lam, q_safety)
        found = learn(torch.autograd.grad(loss, outputs)[0])
    move("multiplier", policy.multiplier, loss, found)
    return {"lagrange_multiplier": lam.detach().mean(), "multiplier_loss": loss}
