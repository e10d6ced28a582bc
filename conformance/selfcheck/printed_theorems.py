"""The paper's theorems as printed and as corrected, at figures worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from safer_gym.bounds import (
    coupling_bound,
    direct_bound,
    literal_theorem_1,
    literal_theorem_2,
    paper_theorem_2,
)
from safer_gym.conformance.selfcheck.check import Check, refute_unless


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


FORMS = (paper_theorem_2, literal_theorem_2, direct_bound, coupling_bound)
PRINTED = Check(
    "theory",
    "figures of the paper's setting",
    "printed and corrected theorems at Ball-Circle's numbers",
    _paper_numbers_law,
    FORMS,
)
CONSTANTS = Check(
    "theory",
    "constants of Theorem 1",
    "the second order term is 2 g L^2 eps^2",
    _lemma_composition_law,
    literal_theorem_1,
)
CHECKS = (PRINTED, CONSTANTS)
