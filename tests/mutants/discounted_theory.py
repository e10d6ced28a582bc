"""Bounds of discounted cost on exact problems: never below the truth, and attained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mutants.exact_problems import Statement, formula, solved, tight
from mutants.trial import Trial
from theory import Comparison, cost_bounds, discounted
from theory.facts import Facts

from safer_gym.bounds import coupling_bound, direct_bound, paper_theorem_2, value_cap
from safer_gym.tabular.values import visitation


def _by_discount(floor: float) -> Callable[[Statement], str]:
    return lambda statement: tight(statement, solved().facts, floor)


def without_cheap_actions(kappa: Any, tv: Any, **c: Any) -> Any:
    """(B) with (1 - delta) kappa, as if the adversary left the cheap actions alone."""
    return (1 - tv) * kappa + tv * value_cap(**c) / (1 - c["gamma"] * (1 - tv))


def _undiscounted_hazard(kappa: Any, tv: Any, **c: Any) -> Any:
    return kappa + tv * value_cap(**c)


def _scaled_rise(factor: float) -> Any:
    return lambda kappa, *rest, **c: kappa + factor * (coupling_bound(kappa, *rest, **c) - kappa)


def _old_visitation(facts: Facts) -> Comparison:
    """The performance difference over the old policy's visitation."""
    right = discounted.performance_difference(facts)
    cmdp, _, previous = facts.case
    return right._replace(bound=right.bound * visitation(cmdp, previous).max(-1))


def _hazard_of_states(facts: Facts) -> Comparison:
    """Lemma 2 with p_s of states that cost: S_c = {s : some action costs in s}."""
    cmdp = facts.case.cmdp
    pays = cmdp.costs.max((-2, -1)) > 0
    arrives = (cmdp.transitions * pays[:, None, None, :]).sum(-1).max(-1)
    return discounted.lemma_2(facts, arrives)


def _printed_lemma_2(facts: Facts) -> Comparison:
    """Eq. (12) read literally: 2 TV (c(s, a) + g max V), with the least c of the free a."""
    cmdp = facts.case.cmdp
    cost = (cmdp.transitions * cmdp.costs).sum(-1).min(-1)
    top = facts.gamma * facts.benign.v.max(-1)
    right = discounted.lemma_2(facts)
    return right._replace(bound=2 * facts.tv * (cost + top[:, None]))


def _doubled_lemma_2(facts: Facts) -> Comparison:
    right = discounted.lemma_2(facts)
    return right._replace(bound=2 * right.bound)


def _printed_sa_mdp(facts: Facts) -> Comparison:
    """[1 + g / (1 - g)^2] C_m TV, the published constant for costs in [0, C_m]."""
    right = cost_bounds.state_adversarial(facts)
    factor = 1 + facts.gamma / (1 - facts.gamma) ** 2
    rise = factor * facts.c_max * facts.tv.max(-1)
    return right._replace(bound=right.base + rise)


TRIALS = (
    Trial(
        "theory",
        "performance difference",
        "V' - V = E_{d'} sum_a (pi' - pi) Q / (1 - g)",
        _by_discount(0.999),
        discounted.performance_difference,
        {
            "over the old visitation": _old_visitation,
            "minus sign": lambda facts: discounted.performance_difference(facts)._replace(
                truth=-discounted.performance_difference(facts).truth
            ),
        },
    ),
    Trial(
        "theory",
        "lemma 2",
        "E_pi' A <= TV (p_s C_m + g max V)",
        _by_discount(0.999),
        discounted.lemma_2,
        {
            "p_s of states that cost": _hazard_of_states,
            "Eq. (12) with its free action": _printed_lemma_2,
            "factor 2 of Eq. (18)": _doubled_lemma_2,
        },
    ),
    Trial(
        "theory",
        "coupling bound",
        "V' <= kappa + delta U / (1 - g (1 - delta))",
        _by_discount(0.999),
        cost_bounds.coupling,
        {
            "(1 - delta) kappa": formula(cost_bounds.coupling, without_cheap_actions),
            "diverges once": formula(cost_bounds.coupling, _undiscounted_hazard),
            "printed Theorem 2 in its place": lambda facts: cost_bounds.coupling(
                facts, lambda kappa, tv, **c: paper_theorem_2(kappa, tv, 0.0, **c)
            ),
            "99 % of the rise": formula(cost_bounds.coupling, _scaled_rise(0.99)),
            "twice the rise": formula(cost_bounds.coupling, _scaled_rise(2.0)),
        },
    ),
    Trial(
        "theory",
        "direct bound",
        "V' <= kappa + delta p_bar C_m / (1 - g)^2",
        _by_discount(0.98),
        cost_bounds.direct,
        {
            "one factor 1 / (1 - g) lost": formula(cost_bounds.direct, _undiscounted_hazard),
            "factor 2 of the printed theorems": formula(
                cost_bounds.direct,
                lambda kappa, tv, **c: 2 * direct_bound(kappa, tv, **c) - kappa,
            ),
        },
    ),
    Trial(
        "theory",
        "SA-MDP constant",
        "V' - V <= C_m TV / (1 - g)^2",
        _by_discount(0.98),
        cost_bounds.state_adversarial,
        {"the published 1 + g / (1 - g)^2": _printed_sa_mdp},
    ),
)
