"""The contrastive objective of safe skill priors, as pure functions of tensors.

Eq. (5): max E_c[log p(a_safe | s, c) - lambda log p(a_unsafe | s, c)] - KL(q(c | window) || p(c)).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.choices import choose
from safer_gym.divergences import gaussian_kl
from safer_gym.types import Gaussian

UNSAFE_TERMS = ("floor", "freeze")


class PriorLoss(NamedTuple):
    """The objective, negated, and its parts before their weights."""

    total: Tensor
    safe: Tensor
    """Mean of log p(a_safe)."""
    unsafe: Tensor
    """Mean of log p(a_unsafe), as it entered the objective."""
    kl: Tensor
    """Mean of KL(q || N(0, I)) over both batches, summed."""


def contrastive_loss(
    log_p_safe: Tensor,
    log_p_unsafe: Tensor | None,
    kl: Tensor,
    weight: float,
    floor: float = -10.0,
    unsafe_term: str = "floor",
    kl_weight: float = 1.0,
) -> PriorLoss:
    """Algorithm 2's loss.

    log p(a_unsafe) is unbounded below. The paper freezes its term once it diverges. The floor is
    ours: a sample whose log-likelihood lies below it has no gradient, so that the others are not
    drowned by a few extreme ones.

    Args:
        log_p_safe: of safe actions [B].
        log_p_unsafe: of unsafe ones [B]; None leaves the term out (PARROT).
        kl: KL(q || p) summed over both batches, [] (zero without a safety variable).
        weight: lambda.
        floor: the least log-likelihood that is pushed down further: of each sample for "floor", of
            the batch's mean for "freeze".
        unsafe_term: "floor" or "freeze".
        kl_weight: of the KL term, 1 in Eq. (5).

    Raises:
        ValueError: another `unsafe_term`.
    """
    choose("unsafe_term", unsafe_term, UNSAFE_TERMS)
    safe = log_p_safe.mean()
    if log_p_unsafe is None:
        return PriorLoss(kl_weight * kl - safe, safe, torch.zeros_like(safe), kl)
    if unsafe_term == "floor":
        unsafe = log_p_unsafe.clamp(min=floor).mean()
    else:
        mean = log_p_unsafe.mean()
        unsafe = mean if mean.item() > floor else mean.detach()
    return PriorLoss(kl_weight * kl - safe + weight * unsafe, safe, unsafe, kl)


def kl_to_standard(q: Gaussian) -> Tensor:
    """KL(q || N(0, I)) of a diagonal Gaussian, in nats [B]."""
    standard = Gaussian(torch.zeros_like(q.mean), torch.ones_like(q.scale))
    return gaussian_kl(q, standard)
