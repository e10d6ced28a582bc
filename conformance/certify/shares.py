"""The certificate's error probability, split over modes, radii, metrics, ends and attacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from safer_gym.conformance.certificate.record import Share
from safer_gym.conformance.certificate.requirement import Mode
from safer_gym.conformance.certify.plan import Plan
from safer_gym.conformance.statistics import allocate

METRICS = ("rate", "mean", "quantile", "cvar")


def split(plan: Plan, chosen: Mapping[tuple[Mode, float], Sequence[str]]) -> tuple[Share, ...]:
    """Shares that sum to at most `plan.delta`.

    Args:
        plan: modes and radii.
        chosen: by mode and radius: the attacks whose lower bounds may count.
    """
    part = plan.delta / (len(plan.modes) * len(plan.eps))
    part = float(np.nextafter(np.nextafter(part, 0.0), 0.0))
    shares = tuple(
        Share(eps, s.attack, s.metric, s.side, s.delta, mode)
        for mode in plan.modes
        for eps in plan.eps
        for s in allocate(part, [eps], chosen[mode, eps], METRICS, every=mode == "stochastic")
    )
    assert sum(Fraction(share.delta) for share in shares) <= Fraction(plan.delta)
    return shares
