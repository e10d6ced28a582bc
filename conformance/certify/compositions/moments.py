"""Hoelder's inequality: E' x <= (e^rho E[x^q])^(1/q) with q = a / (a - 1), a the Renyi order."""

from __future__ import annotations

from collections.abc import Callable

from safer_gym.bounds import moment_mean
from safer_gym.conformance.certify.compositions.composition import Composition


def order_of(composition: Composition) -> float:
    """The Renyi order.

    Raises:
        ValueError: the composition has none.
    """
    if composition.order is None:
        raise ValueError(f"the composition {composition.method!r} needs an order, got None")
    return composition.order


def power_of(composition: Composition) -> float:
    """q of E[x^q]."""
    order = order_of(composition)
    return order / (order - 1)


def moment_bound(composition: Composition, mean: float, rho: Callable[[float], float]) -> float:
    """The worst case's share, at most 1, from the mean of the shares to the power of q.

    Args:
        composition: whose order counts.
        mean: E[x^q].
        rho: the Renyi divergence of an order that the budget allows.
    """
    order = order_of(composition)
    return min(float(moment_mean([mean], [rho(order)], [order])), 1.0)
