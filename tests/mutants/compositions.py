"""What a certificate makes of benign episodes, on problems where each of them is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
from mutants.exact_problems import tight
from mutants.trial import Trial
from theory import Comparison
from theory.composed import BUDGETS, Problem, small_problems

from safer_gym.conformance.certificate.requirement import Metric
from safer_gym.conformance.certify.compositions import Composition, make_composition
from safer_gym.conformance.certify.compositions.moments import power_of
from safer_gym.conformance.certify.divergence import HAZARD, TV, TV_LEFT
from safer_gym.conformance.evaluate.outcomes import Floats

PROBLEMS = 80
RENYI = (1.2, 2.0, 5.0)
"""Orders tried."""


class Rule(NamedTuple):
    """A composition's two halves, so that a wrong one can be tried."""

    values: Callable[[Composition, Floats, Floats], Floats] = lambda c, x, s: c.values(x, s)
    bound: Callable[[Composition, float], float] = lambda c, mean: c.bound(mean)


class Spent(NamedTuple):
    """A problem, and what an adversary could use up along each of its paths."""

    problem: Problem
    sums: Floats
    """[P, orders + 3]"""


@cache
def spent() -> list[Spent]:
    """The problems of all checks."""
    return [Spent(p, _sums(p)) for p in small_problems(PROBLEMS, 0, RENYI)]


def _sums(problem: Problem) -> Floats:
    tv = problem.tv
    with np.errstate(divide="ignore"):
        steps = [-np.log1p(-tv), tv, tv * problem.left]
    columns = [*np.moveaxis(problem.renyi, -1, 0), *steps]
    return np.stack([column.sum(1) for column in columns], axis=-1)


def composed(method: str, metric: Metric, rule: Rule) -> Comparison:
    """A composition's bound with exact benign means, beside the exact worst case."""
    found = [row for case in spent() for row in _each(case, method, metric, rule)]
    truth, bound, base = np.array(found).T
    return Comparison(truth, bound, base)


def _each(
    case: Spent, method: str, metric: Metric, rule: Rule
) -> Iterator[tuple[float, float, float]]:
    problem, chance = case.problem, case.problem.paths.chance
    is_rate, costs = metric == "rate", problem.paths.costs
    scale = 1.0 if is_rate else problem.high
    shares = (costs > problem.limit).astype(float) if is_rate else costs / scale
    for column, order in _columns(method, metric):
        for share in BUDGETS:
            budget = float(np.quantile(case.sums[:, column], share, method="lower"))
            if np.isfinite(budget):
                chosen = make_composition(method, metric, column, budget, order)
                mean = float(chance @ rule.values(chosen, shares, case.sums))
                bound = scale * rule.bound(chosen, min(mean, chosen.top))
                # A bound at its cap says nothing, however near to it the truth is.
                bound = bound if bound < scale else np.inf
                truth = problem.worst_rate if is_rate else problem.worst_mean
                yield truth, bound, scale * float(chance @ shares)


def _columns(method: str, metric: Metric) -> list[tuple[int, float | None]]:
    if method == "coupling":
        return [(HAZARD, None)]
    if method == "additive":
        return [(TV if metric == "rate" else TV_LEFT, None)]
    return list(enumerate(RENYI))


def _law(method: str, metrics: tuple[Metric, ...], floor: float) -> Callable[[Rule], str]:
    def law(rule: Rule) -> str:
        told = [tight(lambda m: composed(method, m, rule), [metric], floor) for metric in metrics]
        return "; ".join(told)

    return law


def _shares(composition: Composition, shares: Floats, spent: Floats) -> Floats:
    """Overruns count like other episodes."""
    return replace(composition, budget=np.inf).values(shares, spent)


def _within_one(composition: Composition, shares: Floats, spent: Floats) -> Floats:
    return np.where(
        composition.overruns(spent),
        1.0,
        np.minimum(shares + spent[:, composition.column], 1.0),
    )


def _along_paths(composition: Composition, shares: Floats, spent: Floats) -> Floats:
    """1 - E[exp(-sum of h)], hazards multiplied along benign paths."""
    return 1 - (1 - shares) * np.exp(-spent[:, composition.column])


def _mixed(composition: Composition, mean: float) -> float:
    return 1 - (1 - mean) * float(np.exp(-composition.budget))


def _of_half(composition: Composition, mean: float) -> float:
    return replace(composition, budget=composition.budget / 2).bound(mean)


BOTH: tuple[Metric, ...] = ("rate", "mean")
TRIALS = (
    Trial(
        "theory",
        "coupling over episodes",
        "(B) with a budget: P' <= P(E or overrun) + 1 - exp(-L), L >= sum of -log(1 - delta)",
        _law("coupling", BOTH, 0.99),
        Rule(),
        {
            "overruns forgotten": Rule(values=_shares),
            "(1 - delta) P + delta": Rule(bound=_mixed),
            "hazards multiplied along benign paths": Rule(_along_paths, lambda c, mean: mean),
            "half of the hazard": Rule(bound=_of_half),
            "twice the hazard": Rule(
                bound=lambda c, mean: replace(c, budget=2 * c.budget).bound(mean)
            ),
        },
    ),
    Trial(
        "theory",
        "additive over episodes",
        "(C) with a budget: P' <= E[1(E) + sum of delta], overruns counting 1 + budget",
        _law("additive", BOTH, 0.99),
        Rule(),
        {
            "overruns count one": Rule(
                lambda c, x, s: np.where(c.overruns(s), 1.0, c.values(x, s))
            ),
            "min(1, sum) in the mean": Rule(_within_one),
            "half of the sum": Rule(lambda c, x, s: c.values(x, s / 2)),
            "twice the sum": Rule(lambda c, x, s: replace(c, budget=2 * c.budget).values(x, 2 * s)),
        },
    ),
    Trial(
        "theory",
        "Renyi over episodes",
        "the Renyi filter with a budget that some episodes exceed",
        _law("renyi", BOTH, 0.99),
        Rule(),
        {
            "overruns forgotten": Rule(values=_shares),
            "half of the budget": Rule(bound=_of_half),
        },
    ),
    Trial(
        "theory",
        "Renyi moments over episodes",
        "E' x <= (e^rho E[x^q])^(1/q), q = a / (a - 1), with a budget",
        _law("renyi moment", ("mean",), 0.99),
        Rule(),
        {
            "overruns forgotten": Rule(values=_shares),
            "no root of the moment": Rule(
                bound=lambda c, mean: min(float(np.exp(c.budget)) * mean, 1.0)
            ),
            "moment of a higher order": Rule(
                lambda c, x, s: np.where(c.overruns(s), 1.0, x) ** (2 * power_of(c))
            ),
        },
    ),
)
