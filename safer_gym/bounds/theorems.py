"""SAFER's Theorems 1 and 2 as printed, and what is true and attained beside them.

Discounted cost V in [0, C_m / (1 - gamma)], TV = (1/2) sum |p - q|. `unsafe_probability` is
p_bar = max_{s, a} P(c > 0 | s, a): arrivals that cost. (Built from "the current state is unsafe"
the statements fail.) Numbers or arrays; everything broadcasts.

The printed forms have no power: their first term alone is at least twice the direct bound, so no
numeric test can refute them, with any xi. Keep them for comparison only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from safer_gym.bounds.filters import nonnegative, plain, probability
from safer_gym.domains import SHARE_BELOW_ONE, require_array


def paper_theorem_1(
    kappa: Any,
    step_tv: Any,
    lipschitz: Any,
    eps: Any,
    xi: Any,
    *,
    gamma: Any,
    cost_max: Any,
    unsafe_probability: Any = 1.0,
) -> Any:
    """Eq. (9) as printed, root and all: the vanilla M-step under attacks. No power.

    Args:
        kappa: benign cost bound of the policy before the step.
        step_tv: d^(V), the largest TV between the policies before and after the step.
        lipschitz, eps: D_TV(pi(s') || pi(s)) <= L ||s' - s||_p, for all s; and the radius.
        xi: bound of the step's average KL.
        gamma: in [0, 1); cost_max: C_m, the largest cost of a step.
    """
    first = step_tv + lipschitz * np.asarray(eps)
    second = np.sqrt(2 * xi * np.asarray(gamma)) * step_tv
    second = second + 4 * gamma * np.square(lipschitz * np.asarray(eps))
    return _printed(kappa, first, second, gamma, cost_max, unsafe_probability)


def paper_theorem_2(
    kappa: Any,
    robust_tv: Any,
    xi: Any,
    *,
    gamma: Any,
    cost_max: Any,
    unsafe_probability: Any = 1.0,
) -> Any:
    """Eq. (10) as printed: the robust M-step under attacks. No power.

    Args:
        robust_tv: d^(R), the largest TV of the attacked policy after the step from the benign one
            before it; for every adversary the supremum over all of them.
        xi: bound of the adversarial step's average KL.
    """
    second = np.sqrt(2 * xi * np.asarray(gamma)) * robust_tv
    return _printed(kappa, robust_tv, second, gamma, cost_max, unsafe_probability)


def literal_theorem_1(
    kappa: Any,
    step_tv: Any,
    lipschitz: Any,
    eps: Any,
    xi: Any,
    *,
    gamma: Any,
    cost_max: Any,
    unsafe_probability: Any = 1.0,
) -> Any:
    """Eq. (9) as the paper's own lemmas give it: gamma outside the root, 2 for 4. No power."""
    first = step_tv + lipschitz * np.asarray(eps)
    second = np.asarray(gamma) * np.sqrt(2 * np.asarray(xi)) * step_tv
    second = second + 2 * gamma * np.square(lipschitz * np.asarray(eps))
    return _printed(kappa, first, second, gamma, cost_max, unsafe_probability)


def literal_theorem_2(
    kappa: Any,
    robust_tv: Any,
    xi: Any,
    *,
    gamma: Any,
    cost_max: Any,
    unsafe_probability: Any = 1.0,
) -> Any:
    """Eq. (10) as the paper's own lemmas give it: gamma outside the root. No power."""
    second = np.asarray(gamma) * np.sqrt(2 * np.asarray(xi)) * robust_tv
    return _printed(kappa, robust_tv, second, gamma, cost_max, unsafe_probability)


def coupling_bound(
    kappa: Any, tv: Any, *, gamma: Any, cost_max: Any, unsafe_probability: Any = 1.0
) -> Any:
    """(B): kappa + tv U / (1 - gamma (1 - tv)), U = `value_cap`. Attained.

    Actions are coupled; until they first differ the cost is the benign one, and they differ with
    probability at most `tv` at each step; after that the cost to go is at most U.

    Raises:
        ValueError: tv outside [0, 1], gamma outside [0, 1), negative costs.
    """
    tv = probability("tv", tv)
    cap = value_cap(gamma=gamma, cost_max=cost_max, unsafe_probability=unsafe_probability)
    return plain(nonnegative("kappa", kappa) + tv * cap / (1 - np.asarray(gamma) * (1 - tv)))


def direct_bound(
    kappa: Any, tv: Any, *, gamma: Any, cost_max: Any, unsafe_probability: Any = 1.0
) -> Any:
    """(A): kappa + tv U / (1 - gamma), by the performance-difference identity. Above (B)."""
    cap = value_cap(gamma=gamma, cost_max=cost_max, unsafe_probability=unsafe_probability)
    return plain(
        nonnegative("kappa", kappa) + nonnegative("tv", tv) * cap / (1 - np.asarray(gamma))
    )


def value_cap(*, gamma: Any, cost_max: Any, unsafe_probability: Any = 1.0) -> Any:
    """U = p_bar C_m / (1 - gamma): no policy costs more, so a bound of U or more is vacuous.

    Raises:
        ValueError: gamma outside [0, 1), negative cost_max or unsafe_probability.
    """
    require_array(SHARE_BELOW_ONE, gamma=gamma)
    gamma = np.asarray(gamma, dtype=float)
    hazard = probability("unsafe_probability", unsafe_probability)
    return plain(hazard * nonnegative("cost_max", cost_max) / (1 - gamma))


def additive_bound(p: Any, summed_tv: Any) -> Any:
    """(C): P'(E) <= P(E) + E[sum_t delta(s_t)], for an event E of an undiscounted episode.

    Args:
        p: P(E) without an adversary.
        summed_tv: benign mean of the summed distances; delta(s) = sup over the ball of the TV.
    """
    return plain(np.minimum(nonnegative("p", p) + nonnegative("summed_tv", summed_tv), 1.0))


def _printed(kappa: Any, first: Any, second: Any, gamma: Any, cost_max: Any, hazard: Any) -> Any:
    left = 1 - np.asarray(gamma, dtype=float)
    inside = first / left + second / np.square(left)
    return plain(kappa + 2 * cost_max * inside * (hazard + np.asarray(gamma) / left))
