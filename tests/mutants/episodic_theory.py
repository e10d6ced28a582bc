"""Bounds of an episode's cost on exact problems: never below the truth, and attained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mutants.exact_problems import Statement, formula, solved, tight
from mutants.trial import Trial
from scipy.special import ndtr, ndtri
from theory import Comparison, episodic, gaussian
from theory.episodic import EpisodeFacts

from safer_gym.bounds import coupled_rate, gaussian_filter, renyi_filter


def _by_episode(floor: float) -> Callable[[Statement], str]:
    return lambda statement: tight(statement, solved().episodes, floor)


def _walk_law(bound: Any) -> str:
    return (
        tight(lambda _: gaussian.gaussian_walks(bound), [None], 0.99)
        + "; "
        + tight(lambda _: gaussian.gaussian_loops(bound), [None], 0.1)
    )


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


TRIALS = (
    Trial(
        "theory",
        "coupling bound, episode",
        "P' <= P + 1 - (1 - delta)^H",
        _by_episode(0.999),
        episodic.coupled,
        {
            "(1 - delta)^H P": formula(
                episodic.coupled, lambda p, hazard: 1 - (1 - p) * np.exp(-hazard)
            ),
            "one step's hazard": lambda facts: episodic.coupled(
                facts, lambda p, hazard: coupled_rate(p, hazard / facts.horizon)
            ),
            "90 % of the hazard": formula(
                episodic.coupled, lambda p, hazard: coupled_rate(p, 0.9 * hazard)
            ),
        },
    ),
    Trial(
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
    Trial(
        "theory",
        "additive bound, mean",
        "E C' <= E[C + sum_t delta(s_t) (H - t) C_m]",
        _by_episode(0.99),
        episodic.summed_tv_mean,
        {"steps that are left forgotten": _without_time},
    ),
    Trial(
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
    Trial(
        "theory",
        "Renyi filter",
        "the divergence of an episode is at most the sum of its steps'",
        _by_episode(0.9),
        episodic.renyi_rate,
        {
            "reversed exponent": formula(
                episodic.renyi_rate, lambda p, rho, a: _hoelder(p, rho, a, lambda a: a / (a - 1))
            ),
            "no exponent": formula(
                episodic.renyi_rate, lambda p, rho, a: _hoelder(p, rho, a, np.ones_like)
            ),
            "one step's divergence": lambda facts: episodic.renyi_rate(
                facts, lambda p, rho, a: renyi_filter(p, rho / facts.horizon, a)
            ),
            "the worst order": formula(
                episodic.renyi_rate,
                lambda p, rho, a: np.max(
                    [renyi_filter(p, rho[..., i], a[i]) for i in range(len(a))], axis=0
                ),
            ),
        },
    ),
)
