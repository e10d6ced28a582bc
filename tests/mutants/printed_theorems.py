"""Wrong versions of the paper's theorems, as printed and as corrected."""

from __future__ import annotations

from typing import Any

from mutants.discounted_theory import without_cheap_actions
from mutants.trial import of

from safer_gym.bounds import direct_bound, literal_theorem_1, literal_theorem_2, paper_theorem_2
from safer_gym.conformance.selfcheck.printed_theorems import CONSTANTS, FORMS, PRINTED


def _with_form(place: int, form: Any) -> tuple[Any, ...]:
    return (*FORMS[:place], form, *FORMS[place + 1 :])


TRIALS = (
    of(
        PRINTED,
        {
            "gamma outside the printed root": _with_form(0, literal_theorem_2),
            "gamma inside the corrected root": _with_form(1, paper_theorem_2),
            "(A) with 2 delta": _with_form(2, lambda k, tv, **c: 2 * direct_bound(k, tv, **c) - k),
            "(B) with (1 - delta) kappa": _with_form(3, without_cheap_actions),
        },
    ),
    of(
        CONSTANTS,
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
)
