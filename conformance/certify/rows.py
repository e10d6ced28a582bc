"""From the ledger to a certificate's rows: evidence, and both ends of each sandwich."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from safer_gym.conformance.battery.members import NULL
from safer_gym.conformance.certificate.evidence import (
    AttackEvidence,
    LowerEnd,
    Row,
    Sandwich,
    UpperAttacks,
    UpperEvery,
)
from safer_gym.conformance.certificate.requirement import Metric, Mode
from safer_gym.conformance.certify.ledger import Key, Ledger
from safer_gym.conformance.certify.tail_ends import tail_bounds
from safer_gym.conformance.statistics import EVERY, WORST

NO_LARGEST_COST = (
    "the largest cost of an episode is not known: pass max_step_cost, and make environments whose "
    "spec has max_episode_steps"
)


NOT_DIRECTED = (
    "no attack that was measured seeks cost: none climbs a cost critic that has met cost, none "
    "learned from cost (an attack of one's own says that it does by `cost_directed = True`)"
)


def make_row(
    ledger: Ledger, mode: Mode, eps: float, refusals: Mapping[tuple[Mode, Metric], str]
) -> Row:
    """All that is known at one radius.

    Args:
        ledger: the evidence.
        mode, eps: which row.
        refusals: by mode and metric: why there is no bound over every adversary.
    """
    measured = [
        attack for attack in ledger.attacks_at(eps) if ledger.cell(Key.of(mode, attack, eps)).n > 0
    ]
    return Row(
        eps=eps,
        mode=mode,
        attacks=tuple(_evidence(ledger, mode, eps, attack) for attack in measured),
        rate=_sandwich(ledger, mode, eps, "rate", refusals.get((mode, "rate"))),
        mean=_sandwich(ledger, mode, eps, "mean", refusals.get((mode, "mean"))),
    )


def _evidence(ledger: Ledger, mode: Mode, eps: float, attack: str) -> AttackEvidence:
    cell = ledger.cell(Key.of(mode, attack, eps))
    rate, mean = (ledger.ends(mode, eps, attack, metric) for metric in ("rate", "mean"))
    quantile, cvar = tail_bounds(ledger, mode, eps, cell.costs)
    is_benign = mode == "stochastic" and attack == NULL
    kept = (lambda values: ()) if is_benign else (lambda values: tuple(values.tolist()))
    return AttackEvidence(
        attack=attack,
        n=cell.n,
        violations=int((cell.costs > ledger.plan.limit).sum()),
        mean_cost=float(cell.costs.mean()),
        mean_return=float(cell.returns.mean()),
        rate_lower=rate.lower,
        rate_upper=rate.upper,
        mean_lower=mean.lower,
        mean_upper=mean.upper if np.isfinite(mean.upper) else None,
        quantile_upper=quantile,
        cvar_upper=cvar,
        costs=kept(cell.costs),
        returns=kept(cell.returns),
        lengths=kept(cell.lengths.astype(int)),
        worst_h=kept(cell.worst_h),
        search_mean_cost=ledger.search_means.get(Key.of(mode, attack, eps)),
        search_max_cost=ledger.caps.get(Key.of(mode, attack, eps)),
        cost_directed=attack in ledger.directed,
    )


def _sandwich(
    ledger: Ledger, mode: Mode, eps: float, metric: Metric, refused: str | None
) -> Sandwich:
    return Sandwich(
        lower=_lower(ledger, mode, eps, metric),
        upper_attacks=_upper_attacks(ledger, mode, eps, metric),
        upper_every=_upper_every(ledger, mode, eps, metric, refused),
    )


def _lower(ledger: Ledger, mode: Mode, eps: float, metric: Metric) -> LowerEnd:
    """The best of this and all smaller radii: a smaller ball lies inside the larger one."""
    best, deltas = LowerEnd(0.0, None, eps, 0.0), 0.0
    for radius in (r for r in ledger.plan.eps if r <= eps):
        for attack in ledger.attacks_at(radius):
            delta = ledger.delta(mode, radius, attack, metric, "lower")
            deltas += delta or 0.0
            value = ledger.ends(mode, radius, attack, metric).lower
            if delta is not None and value > best.value:
                best = LowerEnd(value, attack, radius, 0.0)
    return LowerEnd(best.value, best.attack, best.eps, deltas)


def _upper_attacks(ledger: Ledger, mode: Mode, eps: float, metric: Metric) -> UpperAttacks:
    """One share for all: the worst attack's own bound errs with at most that probability."""
    delta = ledger.spendable(mode, eps, WORST, metric)
    ends = {a: ledger.ends(mode, eps, a, metric).upper for a in ledger.attacks_at(eps)}
    worst = max(ends, key=lambda attack: ends[attack])
    cap = 1.0 if metric == "rate" else (ledger.high or np.inf)
    refused = _no_pass(ledger, mode, eps)
    if not np.isfinite(ends[worst]):
        return UpperAttacks(None, worst, delta, vacuous=True, refused=refused)
    return UpperAttacks(ends[worst], worst, delta, bool(ends[worst] >= cap), refused)


def _no_pass(ledger: Ledger, mode: Mode, eps: float) -> str | None:
    """Why the battery's upper end supports no PASS: it is not complete, or was no threat."""
    if eps == 0.0:
        return None
    if ledger.unlearned:
        labels = ", ".join(repr(label) for label in ledger.unlearned)
        return f"the battery is not complete, the budget left no time to learn for {labels}"
    threats = ledger.directed & set(ledger.attacks_at(eps))
    measured = any(ledger.cell(Key.of(mode, attack, eps)).n for attack in threats)
    return None if measured else NOT_DIRECTED


def _upper_every(
    ledger: Ledger, mode: Mode, eps: float, metric: Metric, refused: str | None
) -> UpperEvery:
    """The best of this and all larger radii: what holds in a larger ball holds in a smaller."""
    if eps > 0.0 and refused is not None:
        return UpperEvery(refused=refused)
    own = _every_at(ledger, eps, metric) if eps > 0.0 else _unmoved(ledger, mode, metric)
    if own.refused is not None:
        return own
    wider = [radius for radius in ledger.plan.eps if radius > eps and refused is None]
    larger = [_every_at(ledger, radius, metric) for radius in wider]
    best = min((own, *larger), key=_value)
    delta = sum(option.delta for option in (own, *larger))
    spent = own.spent if best is own else ()
    return replace(best, delta=delta, spent=spent, promises=own.promises)


def _value(bound: UpperEvery) -> float:
    return np.inf if bound.value is None else bound.value


def _unmoved(ledger: Ledger, mode: Mode, metric: Metric) -> UpperEvery:
    """At eps = 0 no adversary can do anything: the bound without an attack, of any policy."""
    if metric == "mean" and ledger.high is None:
        return UpperEvery(refused=NO_LARGEST_COST)
    cell, value = ledger.cell(Key.of(mode, NULL, 0.0)), ledger.ends(mode, 0.0, NULL, metric).upper
    return UpperEvery(
        value=value,
        n=cell.n,
        hits=int((cell.costs > ledger.plan.limit).sum()) if metric == "rate" else 0,
        delta=ledger.spendable(mode, 0.0, WORST, metric),
        vacuous=bool(value >= ledger.scale(metric)),
        mode=mode,
        eps=0.0,
        evidence="statistical",
    )


def _every_at(ledger: Ledger, eps: float, metric: Metric) -> UpperEvery:
    delta = ledger.delta("stochastic", eps, EVERY, metric, "upper") or 0.0
    if metric == "mean" and ledger.high is None:
        return UpperEvery(refused=NO_LARGEST_COST)
    cap = ledger.scale(metric)
    found, used = ledger.every(eps, metric), ledger.compositions.get((eps, metric))
    promises = ledger.promises.get((eps, metric))
    if found is None or used is None:
        return UpperEvery(cap, "trivial", delta=delta, vacuous=True, eps=eps, promises=promises)
    return UpperEvery(
        value=min(found.value, cap),
        method=used.method,
        M=used.shift,
        p_ucb=found.ucb if used.is_event else None,
        n=found.n,
        hits=found.hits,
        delta=delta,
        vacuous=bool(found.value >= cap),
        eps=eps,
        spent=tuple(
            total if np.isfinite(total) else None
            for total in ledger.spent[eps][:, used.column].tolist()
        ),
        options={
            "budget": used.budget,
            **({} if used.order is None else {"order": used.order}),
            **({} if used.is_event else {"value_ucb": found.ucb}),
        },
        promises=promises,
    )
