"""The search phase: which attacks look strong, and what benign episodes spend.

Nothing here bounds anything; it only chooses. All that counts is measured on fresh episodes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from safer_gym.conformance.battery.members import NULL
from safer_gym.conformance.certificate.requirement import Metric, Mode
from safer_gym.conformance.certify.compositions import compositions, promise
from safer_gym.conformance.certify.divergence import Drawing
from safer_gym.conformance.certify.ledger import Key, Ledger
from safer_gym.conformance.certify.plan import Plan
from safer_gym.conformance.certify.world import Job, Result

EPISODES = 8
CALM = 25
"""Episodes without an attack: budgets are chosen by them."""
CHOSEN = 3
"""Attacks of each row whose lower bounds may count."""


SURE = 8.0
"""Benign episodes that a bound counts as hits at least: about log(1 / delta) of its share."""
EMPTY = 0.99
"""A bound this near to 1 says nothing that is worth its episodes."""


class Found(NamedTuple):
    """What the search said."""

    job: Job
    result: Result


def pilot_jobs(plan: Plan, *, enclose: bool = True) -> list[Job]:
    """Episodes without an attack; those of the stochastic policy with enclosures, if wanted."""
    radii = tuple(eps for eps in plan.eps if eps > 0 and enclose)
    return [
        Job(
            "search", mode, NULL, 0.0, 0, CALM if mode == "stochastic" else EPISODES,
            radii if mode == "stochastic" else (), trace=True,
        )
        for mode in plan.modes
    ]  # fmt: skip


def search_jobs(plan: Plan, attacks: Sequence[str]) -> list[Job]:
    """Every attack at every second radius from the largest down."""
    radii = [eps for eps in plan.eps if eps > 0][::-2]
    return [
        Job("search", mode, attack, eps, 0, EPISODES, trace=eps == radii[0])
        for mode in plan.modes
        for eps in radii
        for attack in attacks
        if attack != NULL
    ]


def rank(
    plan: Plan, attacks: Sequence[str], found: Sequence[Found]
) -> dict[tuple[Mode, float], list[str]]:
    """Attacks by mode and radius, the most promising first: by violations, then by mean cost."""
    by_key = {Key.of(f.job.mode, f.job.attack, f.job.eps): f.result for f in found}
    searched = sorted({f.job.eps for f in found if f.job.eps > 0})
    ranking = {}
    for mode in plan.modes:
        for eps in plan.eps:
            if eps == 0:
                ranking[mode, eps] = [NULL]
                continue
            near = next((radius for radius in searched if radius >= eps), None)

            def strength(
                attack: str, mode: Mode = mode, near: float | None = near
            ) -> tuple[float, float]:
                result = by_key.get(Key.of(mode, attack, near if near is not None else 0.0))
                if result is None:
                    return (0.0, 0.0)
                return float((result.costs > plan.limit).mean()), float(result.costs.mean())

            # A stable sort: among equals the battery's order counts, no attack last.
            order = [*(a for a in attacks if a != NULL), NULL]
            ranking[mode, eps] = sorted(order, key=strength, reverse=True)
    return ranking


def choose_compositions(
    ledger: Ledger, policy: Drawing, pilot: Found, fewest: int, benign: int
) -> None:
    """Set the ledger's compositions by what the pilot's episodes promise.

    A radius at which even the fewest benign episodes there will be, without a hit, would leave a
    rate of `EMPTY` or more gets none, and so no enclosures: its bound is the trivial one.

    Args:
        ledger: with no benign episodes yet.
        policy: the stochastic one.
        pilot: search episodes without an attack, with enclosures.
        fewest: how many benign episodes every bound gets.
        benign: how many there may be.
    """
    metrics: tuple[Metric, ...] = ("rate",) if ledger.high is None else ("rate", "mean")
    costs, orders = pilot.result.costs, policy.orders
    # Between what the fewest episodes can show and what the most can.
    room = SURE / (SURE + math.sqrt(fewest * benign))
    for column, eps in enumerate(pilot.job.radii):
        spent = pilot.result.spent[:, column]
        calm = [
            promise(c, np.zeros(len(costs)), spent, SURE / (fewest + SURE))
            for c in compositions(spent, orders, "rate")
        ]
        for metric in metrics:
            shares = ledger.shares_of(costs, metric)
            found = [
                (promise(c, shares, spent, room), c) for c in compositions(spent, orders, metric)
            ]
            told: dict[str, float] = {}
            for value, c in found:
                scaled = ledger.scale(metric) * value
                told[c.method] = min(scaled, told.get(c.method, scaled))
            ledger.promises[eps, metric] = told
            if min(calm, default=1.0) < EMPTY:
                ledger.compositions[eps, metric] = min(found, key=lambda pair: pair[0])[1]


def remember(ledger: Ledger, found: Sequence[Found]) -> None:
    """Note what the search met: caps for bounds without a largest cost, and means to report."""
    for job, result in found:
        key = Key.of(job.mode, job.attack, job.eps)
        ledger.caps[key] = float(result.costs.max())
        ledger.search_means[key] = float(result.costs.mean())
