"""What the algorithms' constructors refuse, each with its reason."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any

import numpy as np
from gymnasium import spaces

from safer_gym.choices import choose


def require_box(action_space: spaces.Space) -> None:
    """Refuse actions that no Gaussian draws, or that cannot be scaled to [-1, 1].

    Raises:
        ValueError: the space is no Box, or a bound is not finite, or not above the lower one.
    """
    if not isinstance(action_space, spaces.Box):
        raise ValueError(
            "the environment's action_space must be a Box of finite bounds: the policy samples "
            f"continuous actions; got {action_space}."
        )
    low, high = np.ravel(action_space.low), np.ravel(action_space.high)
    wrong = ~(np.isfinite(low) & np.isfinite(high) & (low < high))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            "the environment's action_space must be a Box of finite bounds with low < high; entry "
            f"{first} lies between {low[first]} and {high[first]}. A rescaling wrapper such as "
            "gymnasium.wrappers.RescaleAction changes bounds."
        )


def require_positive(**values: float) -> None:
    """Raises ValueError, naming the first argument that is not above zero."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive; got {value!r}.")


def require_not_negative(**values: float) -> None:
    """Raises ValueError, naming the first argument that is below zero."""
    for name, value in values.items():
        if not value >= 0:
            raise ValueError(f"{name} must be >= 0; got {value!r}.")


def require_count(**values: int) -> None:
    """Raises ValueError, naming the first argument that is no whole number from zero on."""
    for name, value in values.items():
        if not (isinstance(value, Integral) and value >= 0):
            raise ValueError(f"{name} must be a whole number >= 0; got {value!r}.")


def require_share(**values: float) -> None:
    """Raises ValueError, naming the first argument that is no share of a whole."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be in [0, 1]; got {value!r}.")


def require_known(argument: str, names: Iterable[str], *makers: Callable[..., Any]) -> None:
    """Raises ValueError for a name that is no parameter of any of `makers`; has the nearest one."""
    known = {name for maker in makers for name in inspect.signature(maker).parameters}
    for name in names:
        choose(argument, name, sorted(known - {"self", "args", "kwargs"}))


def refuse_sde(options: dict[str, Any]) -> None:
    """Take Stable-Baselines3's options of state-dependent exploration out of `options`.

    Raises:
        ValueError: it is asked for; an attack and the E-step need a plain Gaussian.
    """
    asked = options.pop("use_sde", False)
    options.pop("sde_sample_freq", None)
    options.pop("use_sde_at_warmup", None)
    if asked:
        raise ValueError("use_sde must be False: the E-step needs a plain Gaussian; got True.")
