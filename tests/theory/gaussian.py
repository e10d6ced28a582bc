"""The Gaussian filter against exact worst cases of closed loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from safer_gym.bounds import gaussian_filter
from safer_gym.tabular.cmdp import Floats, unattacked
from safer_gym.tabular.horizon import worst_mean, worst_rate
from theory.comparison import Comparison
from theory.examples import gaussian_loop, gaussian_walk, walk_places

WALKS = ((0.1, 1), (0.3, 4), (0.5, 9))
"""Mean shift of a step in deviations, and steps."""
LOOPS = ((0.04, 50), (0.1, 50), (0.1, 100), (0.2, 100))
"""The same for the point that the policy holds near zero."""

Filter = Callable[[Any, Any], Any]


class _Figures(NamedTuple):
    worst: Floats
    benign: Floats
    size: Floats
    """M, in deviations."""


def gaussian_walks(bound: Filter = gaussian_filter) -> Comparison:
    """P'(sum >= c) <= Phi(Phi^-1(P) + sqrt(sum m^2)), attained as the cells get fine."""
    found = _walk_figures()
    return Comparison(found.worst, bound(found.benign, found.size), found.benign)


def gaussian_loops(bound: Filter = gaussian_filter) -> Comparison:
    """P'(cost > 0) <= Phi(Phi^-1(P) + M), M^2 = H m^2, for a loop that the policy closes."""
    found = _loop_figures()
    return Comparison(found.worst, bound(found.benign, found.size), found.benign)


@cache
def _walk_figures() -> _Figures:
    rows = []
    for shift, horizon in WALKS:
        cmdp, policy = gaussian_walk(shift, horizon)
        for threshold in (0.0, 1.0, 2.0, 3.0):
            over = (walk_places(cmdp) >= threshold * math.sqrt(horizon)).astype(float)
            benign = worst_mean(unattacked(cmdp), policy, horizon, over).value
            worst = worst_mean(cmdp, policy, horizon, over).value
            rows.append((worst, benign, shift * math.sqrt(horizon)))
    return _Figures(*np.array(rows).T)


@cache
def _loop_figures() -> _Figures:
    rows = []
    for shift, horizon in LOOPS:
        cmdp, policy, moved = gaussian_loop(shift)
        benign = worst_rate(unattacked(cmdp), policy, horizon, 0).value
        worst = worst_rate(cmdp, policy, horizon, 0).value
        rows.append((worst, benign, moved * math.sqrt(horizon)))
    return _Figures(*np.array(rows).T)
