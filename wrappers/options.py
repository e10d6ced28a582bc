"""The options that all forms of the observation adversary share, and their defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from typing_extensions import Required, TypedDict

from safer_gym.choices import choose

Mask = Callable[[int, Any, dict[str, Any]], bool]
"""(step of the episode, clean observation, info) to whether this observation is attacked."""


class AdversaryOptions(TypedDict, total=False):
    """Described at `ObservationAdversary`."""

    eps: Required[Any]
    norm: str
    schedule: str | Callable[[float], float] | None
    every: int
    mask: Mask | None
    keys: Iterable[str] | None
    units: str
    scale: Any
    total_steps: int | None
    seed: int | None


NAMES = tuple(AdversaryOptions.__annotations__)
DEFAULTS: dict[str, Any] = dict.fromkeys(NAMES) | {"norm": "linf", "every": 1, "units": "raw"}


def complete(options: Mapping[str, Any]) -> AdversaryOptions:
    """The options with defaults for those that were not given.

    >>> complete({"eps": 0.1})["norm"]
    'linf'
    >>> complete({"eps": 0.1, "unit": "raw"})
    Traceback (most recent call last):
    ValueError: option must be one of 'eps', ...; got 'unit'. Did you mean 'units'?

    Raises:
        ValueError: an option that there is not; names the nearest one.
        TypeError: no eps.
    """
    for name in options:
        choose("option", name, NAMES)
    if "eps" not in options:
        raise TypeError("eps, the radius of the attack, must be given")
    return DEFAULTS | dict(options)  # type: ignore[return-value]
