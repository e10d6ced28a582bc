"""What a replay buffer keeps of each step's info, by name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from safer_gym.agents.finite import LARGEST
from safer_gym.choices import choose

MISSING = ("error", "zero")
OVER_STEPS = ("sum", "first", "last")


@dataclass(frozen=True)
class Signal:
    """A number, or several, that the info of each step has.

    Args:
        key: where infos have it.
        shape: () is one number.
        over_steps: what n steps make of it: their discounted "sum", as of a reward, or what the
            "first" (of the state that they begin in) or the "last" of them had.
        lowest: the smallest valid number.
        missing: "error" or "zero", where an info does not have it.
        remedy: what the user can do about a missing one, for the message.
    """

    key: str
    shape: tuple[int, ...] = ()
    over_steps: str = "sum"
    lowest: float = -LARGEST
    missing: str = "error"
    remedy: str = ""

    def __post_init__(self) -> None:
        choose("over_steps", self.over_steps, OVER_STEPS)
        choose("missing", self.missing, MISSING)


def cost_signal(key: str, missing: str) -> Signal:
    """The cost of a step."""
    choose("missing_cost", missing, MISSING)
    remedy = (
        "the environment reports no cost. Wrap it in safer_gym.wrappers.CostTracker(env, "
        "cost=...), name another key with cost_key=, or pass missing_cost='zero' if absent means "
        "zero."
    )
    return Signal(key, lowest=0.0, missing=missing, remedy=remedy)


def stored(signals: Mapping[str, Signal], rows: int, n_envs: int) -> dict[str, np.ndarray]:
    """Room for `rows` steps of E environments, [rows, E, *shape] for each signal."""
    return {
        name: np.zeros((rows, n_envs, *signal.shape), np.float32)
        for name, signal in signals.items()
    }


def read(signal: Signal, infos: Sequence[Mapping[str, Any]], warned: set[str]) -> np.ndarray:
    """The values of a step of E environments, [E, *shape].

    Args:
        warned: keys of which it was said that they are missing and count as zero.

    Raises:
        ValueError: one is missing, of another shape, not finite, or too small.
    """
    values = np.zeros((len(infos), *signal.shape), np.float32)
    for env, info in enumerate(infos):
        value = info.get(signal.key)
        if value is None:
            _refuse_missing(signal, warned)
        else:
            values[env] = as_numbers(value, signal.key, signal.shape)
            if not np.all((values[env] >= signal.lowest) & (values[env] <= LARGEST)):
                raise ValueError(
                    f"info[{signal.key!r}] must be a finite number >= {signal.lowest:g}; "
                    f"got {value!r}."
                )
    return values


def as_numbers(value: Any, key: str, shape: tuple[int, ...] = ()) -> np.ndarray:
    """What an info has under `key`, [*shape]; a number may be a bool, a tensor or an array of one.

    Raises:
        ValueError: it is no number, or there are more or fewer of them.
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind in "biuf":
            return array.astype(np.float64).reshape(shape)
    except (TypeError, ValueError, RuntimeError):  # of tensors, too
        pass
    asked = f"numbers of shape {shape}" if shape else "one number"
    hint = "; safer_gym.wrappers.CostTracker makes one cost of several" if key == "cost" else ""
    raise ValueError(f"info[{key!r}] must be {asked}; got {value!r}{hint}.")


def _refuse_missing(signal: Signal, warned: set[str]) -> None:
    if signal.missing == "error":
        raise ValueError(f"info[{signal.key!r}] is missing: {signal.remedy}")
    if signal.key not in warned:
        warnings.warn(f"info[{signal.key!r}] is missing and counts as zero.", stacklevel=5)
        warned.add(signal.key)


def over_steps(
    signal: Signal, values: np.ndarray, weights: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """What a window of n steps makes of a signal's values.

    Args:
        values: [B, n, *shape].
        weights: discounts of the steps, 0 behind the window's end, [B, n].
        last: index of the last step of each window, [B].
    """
    if signal.over_steps == "first":
        return values[:, 0]
    if signal.over_steps == "last":
        return values[np.arange(len(values)), last]
    return (values * weights.reshape(*weights.shape, *(1,) * len(signal.shape))).sum(axis=1)
