"""What is to be certified: radii, modes, targets, error probability, settled at the border."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from safer_gym.choices import choose
from safer_gym.conformance.certificate.requirement import MODES, Metric, Mode, Requirement
from safer_gym.domains import (
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    PROBABILITY,
    require,
    require_array,
    shown,
)
from safer_gym.types import CHANNELS, Channel

DEFAULT_DELTA = 0.05
DEFAULT_RATE = 0.05
LONGEST = 40
"""Characters of a budget in words."""
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


class Target(NamedTuple):
    """A bound to decide at one radius, in one mode."""

    metric: Metric
    bound: float


class Plan(NamedTuple):
    """The questions of a certificate."""

    eps: tuple[float, ...]
    """Ascending."""
    modes: tuple[Mode, ...]
    limit: float
    delta: float
    requirements: tuple[Requirement, ...]
    channel: Channel = "observation"
    """What the adversary moves."""

    def rate(self, mode: Mode) -> float:
        """The violation rate of a mode's headline: its first requirement's, or the default."""
        rates = [r.rate for r in self.requirements if r.rate is not None]
        own = [r.rate for r in self.requirements if r.rate is not None and r.mode == mode]
        return (own or rates or [DEFAULT_RATE])[0]

    def targets(self, eps: float, mode: Mode) -> tuple[Target, ...]:
        """What episodes at this radius are there to decide."""
        asked = [
            Target(r.metric, r.bound) for r in self.requirements if r.eps == eps and r.mode == mode
        ]
        return tuple(dict.fromkeys([Target("rate", self.rate(mode)), *asked]))


def make_plan(
    requirements: Sequence[Requirement],
    *,
    eps: float | Sequence[float] | None,
    limit: float | None,
    modes: Sequence[Mode] | None,
    delta: float | None,
    channel: Channel | None = None,
) -> Plan:
    """Settle what is asked.

    Raises:
        ValueError: neither a requirement nor radii and a limit; limits or channels that differ; a
            delta that a requirement's confidence does not allow.
    """
    require(NUMBER.or_none, limit=limit)
    asked = () if eps is None else _radii(eps)
    radii = tuple(sorted({*asked, *(r.eps for r in requirements)}))
    if not radii:
        raise ValueError("nothing to certify: pass a requirement, or eps and limit")
    if isinstance(modes, str) or not isinstance(modes, (Iterable, type(None))):
        raise TypeError(f"modes must be a sequence of modes, got {shown(modes)}")
    if modes is not None and not list(modes):
        raise ValueError("modes must be at least one, got none")
    wanted = cast(Any, modes) if modes is not None else {r.mode for r in requirements} or MODES
    chosen = tuple(mode for mode in MODES if mode in {choose("modes", m, MODES) for m in wanted})
    for r in requirements:
        if r.mode not in chosen:
            raise ValueError(f"modes {chosen} leave out that of the requirement {r}")
    return Plan(
        radii,
        chosen,
        _limit(requirements, limit),
        _delta(requirements, delta),
        tuple(requirements),
        _channel(requirements, channel),
    )


def seconds_of(budget: float | str | None) -> float:
    """A budget in seconds; infinite for None.

    >>> seconds_of("2m")
    120.0

    Raises:
        ValueError: not a positive number of seconds, nor a text like "120s", "10m", "1h".
    """
    if budget is None:
        return math.inf
    seconds: Any = budget
    if isinstance(budget, str):
        found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(s|m|min|h|)\s*", budget[:LONGEST])
        seconds = float(found[1]) * _UNITS[found[2]] if found else math.nan
    try:
        require(POSITIVE, budget=seconds)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f'budget must be seconds above 0, or a text like "120s"; got {shown(budget)}'
        ) from None
    return float(seconds)


def _radii(eps: float | Sequence[float]) -> tuple[float, ...]:
    require_array(NOT_NEGATIVE, eps=eps)
    return tuple(float(value) for value in np.ravel(eps))


def _limit(requirements: Sequence[Requirement], limit: float | None) -> float:
    limits = {r.limit for r in requirements if r.limit is not None}
    if limit is not None:
        limits.add(float(limit))
    if len(limits) > 1:
        raise ValueError(
            f"a certificate has one limit, got {sorted(limits)}; make one certificate for each"
        )
    if limits:
        return limits.pop()
    means = [r.mean for r in requirements if r.mean is not None]
    if not means:
        raise ValueError("limit must be given: an episode with a cost above it is a violation")
    return means[0]


def _channel(requirements: Sequence[Requirement], channel: Channel | None) -> Channel:
    channels = {r.channel for r in requirements}
    if channel is not None:
        channels.add(choose("channel", channel, CHANNELS))
    if len(channels) > 1:
        raise ValueError(
            f"a certificate has one channel, got {sorted(channels)}; make one certificate for each"
        )
    return channels.pop() if channels else "observation"


def _delta(requirements: Sequence[Requirement], delta: float | None) -> float:
    allowed = min((r.delta for r in requirements), default=None)
    if delta is None:
        return DEFAULT_DELTA if allowed is None else allowed
    require(PROBABILITY, delta=delta)
    if allowed is not None and delta > allowed * (1 + 1e-9):
        raise ValueError(
            f"delta {delta} is more than the requirements allow, {allowed:g}: their confidence "
            "is 1 - delta"
        )
    return delta
