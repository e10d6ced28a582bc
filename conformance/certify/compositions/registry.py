"""All compositions by name, and the choice among them."""

from __future__ import annotations

import numpy as np

from safer_gym.choices import choose
from safer_gym.conformance.certificate.requirement import Metric
from safer_gym.conformance.certify.compositions.composition import Composition, Sums
from safer_gym.conformance.evaluate.outcomes import Floats

COMPOSITIONS: dict[str, type[Composition]] = {}
"""By the name that certificates use."""

TRIVIAL = "trivial"
"""The name of no composition at all: the episodes say nothing."""

DEVIATIONS = 4.0
"""How far above the mean of what search episodes spent a budget is set. An episode in thousands
may exceed it; a wider budget would cost more than these do."""
SLACK = 0.02
"""And relative to the most that one of them spent."""


def register(kind: type[Composition]) -> type[Composition]:
    """Let certificates use a composition; usable as a decorator.

    Raises:
        ValueError: another one has that name.
    """
    if kind.method == TRIVIAL or COMPOSITIONS.get(kind.method, kind) is not kind:
        raise ValueError(f"a composition named {kind.method!r} exists already")
    COMPOSITIONS[kind.method] = kind
    return kind


def make_composition(
    method: str, metric: Metric, column: int, budget: float, order: float | None = None
) -> Composition:
    """A composition by its name in a certificate.

    Raises:
        ValueError: an unknown name; names the nearest one.
    """
    return COMPOSITIONS[choose("method", method, COMPOSITIONS)](metric, column, budget, order)


def title(method: str | None) -> str:
    """A composition's name in reports; "none" for the trivial bound."""
    if method in (None, TRIVIAL):
        return "none"
    return COMPOSITIONS[method].title if method in COMPOSITIONS else str(method)


def compositions(
    spent: Floats, orders: tuple[float, ...], metric: Metric
) -> tuple[Composition, ...]:
    """All that may be used, with budgets that search episodes [n, columns] suggest.

    Args:
        spent: of search episodes.
        orders: of the policy's Renyi divergences.
        metric: what is to be bounded.
    """
    sums = Sums(_budgets(spent), orders)
    found = (c for kind in COMPOSITIONS.values() for c in kind.candidates(sums, metric))
    return tuple(c for c in found if np.isfinite(c.budget))


def promise(chosen: Composition, shares: Floats, spent: Floats, room: float) -> float:
    """What fresh episodes would show if they went like these.

    Args:
        chosen: the composition.
        shares, spent: of search episodes.
        room: how far a confidence bound will lie above the mean, as a part of the range.
    """
    mean = float(chosen.values(shares, spent).mean())
    return chosen.bound(min(mean + room * chosen.top, chosen.top))


def _budgets(spent: Floats) -> tuple[float, ...]:
    return tuple(_budget(column[np.isfinite(column)]) for column in spent.T)


def _budget(spent: Floats) -> float:
    """From what was spent in episodes with a finite sum; the others exceed every budget."""
    if not len(spent):
        return float("inf")
    likely = spent.mean() + DEVIATIONS * spent.std()
    return float(max(likely, spent.max() * (1 + SLACK)) + 1e-12)
