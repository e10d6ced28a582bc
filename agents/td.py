"""Temporal-difference losses of the two critics (SAFER, Eq. 58 and 59)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from safer_gym.choices import choose

AGGREGATIONS = ("min", "mean", "max")


def aggregate(values: Tensor, how: str) -> Tensor:
    """Reduce an ensemble [K, ...] over its members."""
    how = choose("aggregation", how, AGGREGATIONS)
    if values.shape[0] == 1:
        return values[0]
    if how == "mean":
        return values.mean(0)
    return values.amin(0) if how == "min" else values.amax(0)


def td_target(signal: Tensor, discounts: Tensor, bootstrap: Tensor, ended: Tensor) -> Tensor:
    """signal + discount * (1 - ended) * bootstrap; all [B]."""
    return signal + discounts * (1.0 - ended) * bootstrap


def td_loss(values: Tensor, target: Tensor) -> Tensor:
    """Mean squared Bellman error, summed over the K members of `values` [K, B]."""
    return (values - target).square().mean(-1).sum()


@torch.no_grad()
def polyak(parameters: list[Tensor], targets: list[Tensor], tau: float) -> None:
    """Eq. 61 with rho = 1 - tau, in place on the targets, all tensors at once."""
    torch._foreach_lerp_(targets, parameters, tau)


def track(net: nn.Module, target: nn.Module, tau: float) -> None:
    """Eq. 61 for a network and its target; running statistics are copied."""
    polyak(list(net.parameters()), list(target.parameters()), tau)
    for buffer, twin in zip(net.buffers(), target.buffers(), strict=True):
        twin.copy_(buffer)
