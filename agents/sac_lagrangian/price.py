"""A critic that charges for cost while the actor asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

CostOf = Callable[[Any, Tensor], Tensor]
"""Observations and actions [B, A] to costs [B]."""


@contextmanager
def priced(critic: nn.Module, cost_of: CostOf, lam: float) -> Iterator[None]:
    """Inside the block, `critic(obs, actions)` is (Q_r - lam Q_c) / (1 + lam) for the actor.

    The actor's question is told by actions that carry a gradient; with stored actions the critic
    answers Q_r. So an algorithm that maximises its critic maximises the Lagrangian (the signs and
    the scale are those of Eq. 70), in each member of an ensemble.
    """

    def charge(module: nn.Module, args: Any, values: tuple[Tensor, ...]) -> Any:
        obs, actions = args
        if lam == 0.0 or not actions.requires_grad:
            return values
        cost = cost_of(obs, actions).unsqueeze(-1)
        return tuple((value - lam * cost) / (1.0 + lam) for value in values)

    handle = critic.register_forward_hook(charge)
    try:
        yield
    finally:
        handle.remove()
