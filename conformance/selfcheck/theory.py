"""Bounds of discounted and episodic cost on exact problems: never below the truth, and attained."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from safer_gym.bounds import (
    coupling_bound,
    direct_bound,
    gaussian_filter,
    literal_theorem_1,
    literal_theorem_2,
    paper_theorem_2,
    renyi_filter,
    value_cap,
)
from safer_gym.conformance.selfcheck.check import Check, refute_unless
from safer_gym.tabular.examples import cheap_action_case, late_arrival_case
from safer_gym.tabular.values import visitation
from safer_gym.theory import (
    Comparison,
    Material,
    cost_bounds,
    discounted,
    episodic,
    gaussian,
    material,
)
from safer_gym.theory.comparison import joined
from safer_gym.theory.episodic import EpisodeFacts
from safer_gym.theory.facts import Facts, facts_of

PROBLEMS = 600

Statement = Callable[[Any], Comparison]


@cache
def _solved() -> Material:
    """Random problems, the attaining ones, and counterexamples to wrong versions."""
    solved = material(PROBLEMS, seed=0)
    refuting = [facts_of(cheap_action_case()), facts_of(late_arrival_case())]
    return solved._replace(facts=solved.facts + refuting)


def _tight(statement: Statement, parts: list[Any], floor: float) -> str:
    found = joined([statement(part) for part in parts])
    broken = int(found.violated.sum())
    refute_unless(not broken, f"violated in {broken} of {found.truth.size} instances")
    largest = float(found.ratios.max())
    refute_unless(largest >= floor, f"never nearer than {largest:.3f} to the truth: no power")
    return f"{found.truth.size} instances, ratio up to {largest:.4f}"


def _by_discount(floor: float) -> Callable[[Statement], str]:
    return lambda statement: _tight(statement, _solved().facts, floor)


def _by_episode(floor: float) -> Callable[[Statement], str]:
    return lambda statement: _tight(statement, _solved().episodes, floor)


def _walk_law(bound: Any) -> str:
    return (
        _tight(lambda _: gaussian.gaussian_walks(bound), [None], 0.99)
        + "; "
        + _tight(lambda _: gaussian.gaussian_loops(bound), [None], 0.1)
    )


def _paper_numbers_law(forms: Any) -> str:
    """Ball-Circle's setting: the figures derived by hand, to four digits."""
    printed, literal, direct, coupling = forms
    setting = {"gamma": 0.995, "cost_max": 1.0, "unsafe_probability": 1.0}
    tv, kappa = np.sqrt(0.025), 5 * (1 - 0.995**200) / (200 * 0.005)
    told = {
        "printed": (printed(kappa, tv, 0.05, **setting), 810_600),
        "gamma outside": (literal(kappa, tv, 0.05, **setting), 808_700),
        "(A)": (direct(kappa, tv, **setting), 6328),
        "(B)": (coupling(kappa, tv, **setting), 198.0),
        "(A) at .001": (direct(kappa, 0.001, **setting), 43.2),
        "(B) at .001": (coupling(kappa, 0.001, **setting), 36.5),
    }
    for name, (found, right) in told.items():
        refute_unless(abs(found / right - 1) < 2e-3, f"{name}: {found:.5g}, by hand {right:g}")
    return "six figures of section 5.3 by hand"


def _lemma_composition_law(theorem: Any) -> str:
    """Theorem 1 without a step is Lemma 1 with Lemma 2's advantage: 2 g alpha TV / (1 - g)."""
    for gamma, slope in ((0.5, 0.1), (0.9, 0.3), (0.99, 0.02)):
        alpha = 2 * slope * (1.0 + gamma / (1 - gamma))
        right = (alpha + 2 * gamma * alpha * slope / (1 - gamma)) / (1 - gamma)
        found = theorem(0.0, 0.0, slope, 1.0, 0.0, gamma=gamma, cost_max=1.0)
        refute_unless(abs(found / right - 1) < 1e-9, f"{found:.6g}; the lemmas give {right:.6g}")
    return "the two lemmas put together, to 1e-9"


def _formula(statement: Any, formula: Any) -> Statement:
    return lambda facts: statement(facts, formula)


def _cheap(kappa: Any, tv: Any, **c: Any) -> Any:
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


def _product_hazard(facts: EpisodeFacts) -> Comparison:
    """Hazards of benign paths as if they were independent and met every cost alike."""
    right = episodic.summed_tv_rate(facts)
    stay = np.prod(1 - facts.expected_tv, axis=0)
    return right._replace(bound=1 - (1 - facts.benign_rate) * stay)


def _without_time(facts: EpisodeFacts) -> Comparison:
    """(C) for the mean without the steps that are left."""
    right = episodic.summed_tv_mean(facts)
    return right._replace(bound=facts.benign_mean + facts.expected_tv.sum(0) * facts.c_max)


def _hoelder(p: Any, rho: Any, alphas: Any, power: Callable[[Any], Any]) -> Any:
    alphas = np.asarray(alphas)
    with np.errstate(all="ignore"):
        logs = power(alphas) * (rho + np.log(p)[..., None])
        finite = np.where(np.isfinite(rho), np.exp(np.minimum(logs, 0)), 1.0)
    return np.maximum(finite.min(-1), p)


_FORMS = (paper_theorem_2, literal_theorem_2, direct_bound, coupling_bound)


def _with_form(place: int, form: Any) -> tuple[Any, ...]:
    return (*_FORMS[:place], form, *_FORMS[place + 1 :])


CHECKS = (
    Check(
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
    Check(
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
    Check(
        "theory",
        "coupling bound",
        "V' <= kappa + delta U / (1 - g (1 - delta))",
        _by_discount(0.999),
        cost_bounds.coupling,
        {
            "(1 - delta) kappa": _formula(cost_bounds.coupling, _cheap),
            "diverges once": _formula(cost_bounds.coupling, _undiscounted_hazard),
            "printed Theorem 2 in its place": lambda facts: cost_bounds.coupling(
                facts, lambda kappa, tv, **c: paper_theorem_2(kappa, tv, 0.0, **c)
            ),
            "99 % of the rise": _formula(cost_bounds.coupling, _scaled_rise(0.99)),
            "twice the rise": _formula(cost_bounds.coupling, _scaled_rise(2.0)),
        },
    ),
    Check(
        "theory",
        "direct bound",
        "V' <= kappa + delta p_bar C_m / (1 - g)^2",
        _by_discount(0.98),
        cost_bounds.direct,
        {
            "one factor 1 / (1 - g) lost": _formula(cost_bounds.direct, _undiscounted_hazard),
            "factor 2 of the printed theorems": _formula(
                cost_bounds.direct,
                lambda kappa, tv, **c: 2 * direct_bound(kappa, tv, **c) - kappa,
            ),
        },
    ),
    Check(
        "theory",
        "SA-MDP constant",
        "V' - V <= C_m TV / (1 - g)^2",
        _by_discount(0.98),
        cost_bounds.state_adversarial,
        {"the published 1 + g / (1 - g)^2": _printed_sa_mdp},
    ),
    Check(
        "theory",
        "figures of the paper's setting",
        "printed and corrected theorems at Ball-Circle's numbers",
        _paper_numbers_law,
        _FORMS,
        {
            "gamma outside the printed root": _with_form(0, literal_theorem_2),
            "gamma inside the corrected root": _with_form(1, paper_theorem_2),
            "(A) with 2 delta": _with_form(2, lambda k, tv, **c: 2 * direct_bound(k, tv, **c) - k),
            "(B) with (1 - delta) kappa": _with_form(3, _cheap),
        },
    ),
    Check(
        "theory",
        "constants of Theorem 1",
        "the second order term is 2 g L^2 eps^2",
        _lemma_composition_law,
        literal_theorem_1,
        {
            "4 g instead of 2 g": lambda kappa, step, slope, eps, xi, **c: (
                literal_theorem_1(kappa, step, slope, eps, xi, **c)
                + 4 * c["gamma"] * (slope * eps) ** 2 / (1 - c["gamma"]) ** 3
            ),
            "no second order": lambda kappa, step, slope, eps, xi, **c: (
                kappa + 2 * slope * eps / (1 - c["gamma"]) ** 2
            ),
        },
    ),
    Check(
        "theory",
        "additive bound, rate",
        "P' <= P + E sum_t delta(s_t)",
        _by_episode(0.99),
        episodic.summed_tv_rate,
        {
            "product of hazards": _product_hazard,
            "the worst step alone": lambda facts: episodic.summed_tv_rate(
                facts, lambda p, summed: p + facts.expected_tv.max(0)
            ),
        },
    ),
    Check(
        "theory",
        "additive bound, mean",
        "E C' <= E[C + sum_t delta(s_t) (H - t) C_m]",
        _by_episode(0.99),
        episodic.summed_tv_mean,
        {"steps that are left forgotten": _without_time},
    ),
    Check(
        "theory",
        "Gaussian filter",
        "P' <= Phi(Phi^-1(P) + M), M^2 = sum m^2, attained by walks",
        _walk_law,
        gaussian_filter,
        {
            "M^2 instead of M": lambda p, M: ndtr(ndtri(p) + M**2),
            "half of M": lambda p, M: ndtr(ndtri(p) + M / 2),
            "twice M": lambda p, M: ndtr(ndtri(p) + 2 * M),
            "P + TV with TV = 2 Phi(M) - 1": lambda p, M: p + 2 * ndtr(M) - 1,
            "exp(M) P": lambda p, M: np.minimum(np.exp(M) * p, 1.0),
        },
    ),
    Check(
        "theory",
        "Renyi filter",
        "the divergence of an episode is at most the sum of its steps'",
        _by_episode(0.9),
        episodic.renyi_rate,
        {
            "reversed exponent": _formula(
                episodic.renyi_rate, lambda p, rho, a: _hoelder(p, rho, a, lambda a: a / (a - 1))
            ),
            "no exponent": _formula(
                episodic.renyi_rate, lambda p, rho, a: _hoelder(p, rho, a, np.ones_like)
            ),
            "one step's divergence": lambda facts: episodic.renyi_rate(
                facts, lambda p, rho, a: renyi_filter(p, rho / facts.horizon, a)
            ),
            "the worst order": _formula(
                episodic.renyi_rate,
                lambda p, rho, a: np.max(
                    [renyi_filter(p, rho[..., i], a[i]) for i in range(len(a))], axis=0
                ),
            ),
        },
    ),
)
