"""One way to refuse a number or a flag: name it, say what was expected, and show what came.

>>> require(SHARE, tau=0.05)
>>> require(SHARE, tau=5)
Traceback (most recent call last):
ValueError: tau must be a number in [0, 1]; got 5
"""

from __future__ import annotations

import math
import reprlib
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Domain:
    """A set of numbers, or of flags, for an argument.

    Args:
        words: what belongs to it, after "must be".
        kind: Real, Integral, or bool; numpy's scalars are of these kinds too.
        low, high: its ends, which belong to it.
        above, below: ends that do not.
        optional: whether None does.
    """

    words: str
    kind: type = Real
    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    optional: bool = False

    @property
    def or_none(self) -> Domain:
        """The same set and None."""
        return replace(self, words=f"{self.words}, or None", optional=True)

    def holds(self, values: Any) -> bool:
        """Whether a number, or each number of an array, lies inside; NaN lies nowhere."""
        if self.kind is bool:
            return True
        try:
            array = np.asarray(values, dtype=float if self.kind is Real else None)
            inside = (array >= self.low) & (array <= self.high)
            # An end at infinity is no end: infinity itself may belong to the set.
            inside &= (array > self.above) | (self.above == -math.inf)
            inside &= (array < self.below) | (self.below == math.inf)
        except OverflowError:  # a whole number beyond the floats
            return False
        return bool(np.all(inside))


_END = float(np.finfo(float).max)
ANY_NUMBER = Domain("a number or an infinity")
NUMBER = Domain("a finite number", low=-_END, high=_END)
POSITIVE = Domain("a finite number > 0", above=0.0, high=_END)
NOT_NEGATIVE = Domain("a finite number >= 0", low=0.0, high=_END)
CAP = Domain("a number >= 0, or inf for none", low=0.0)
SHARE = Domain("a number in [0, 1]", low=0.0, high=1.0)
SHARE_ABOVE_ZERO = Domain("a number in (0, 1]", above=0.0, high=1.0)
SHARE_BELOW_ONE = Domain("a number in [0, 1)", low=0.0, below=1.0)
PROBABILITY = Domain("a number in (0, 1)", above=0.0, below=1.0)
ABOVE_ONE = Domain("a finite number > 1", above=1.0, high=_END)
COUNT = Domain("a whole number >= 0", Integral, low=0)
AT_LEAST_ONE = Domain("a whole number >= 1", Integral, low=1)
AT_LEAST_TWO = Domain("a whole number >= 2", Integral, low=2)
SEED = Domain("a whole number in [0, 2^32)", Integral, low=0, below=2**32)
FLAG = Domain("True or False", bool)


def require(domain: Domain, **values: Any) -> None:
    """Refuse the first argument that is not in `domain`.

    Raises:
        TypeError: it is of another type; text, and a bool where a number is meant, are no numbers.
        ValueError: it lies outside.
    """
    for name, value in values.items():
        if value is None and domain.optional:
            continue
        if not _is_of(bool if domain.kind is bool else Real, value):
            raise TypeError(f"{name} must be {domain.words}; got {shown(value)}")
        if not (_is_of(domain.kind, value) and domain.holds(value)):
            raise ValueError(f"{name} must be {domain.words}; got {shown(value)}")


def require_array(domain: Domain, **values: Any) -> None:
    """Refuse the first argument that is neither a number in `domain` nor an array of such numbers.

    Raises:
        TypeError: it holds something else than numbers.
        ValueError: one of them lies outside, or there is none.
    """
    for name, value in values.items():
        if value is None and domain.optional:
            continue
        words = f"{domain.words}, or an array of such"
        array = _array_of(value)
        if array is None:
            raise TypeError(f"{name} must be {words}; got {shown(value)}")
        if not array.size or not domain.holds(array):
            raise ValueError(f"{name} must be {words}; got {shown(value)}")


def shown(value: Any) -> str:
    """A value for a message: short."""
    return reprlib.repr(value)


def _is_of(kind: type, value: Any) -> bool:
    is_flag = isinstance(value, (bool, np.bool_))
    return is_flag if kind is bool else isinstance(value, kind) and not is_flag


def _array_of(value: Any) -> np.ndarray | None:
    """The numbers of a value; None where it holds something else."""
    if hasattr(value, "detach"):  # a tensor; this module does without torch
        value = value.detach().cpu()
        value = value.numpy() if str(value.dtype) == "torch.bool" else value.double().numpy()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        return None
    if array.size == 0 and not isinstance(value, (bytes, str)) and array.dtype.kind == "f":
        return array
    if array.dtype.kind == "O":  # numbers of several kinds; a bool among them is none
        parts = list(array.flat)
        return array if parts and all(_is_of(Real, part) for part in parts) else None
    return array if array.dtype.kind in "iuf" and _all_numbers(value) else None


def _all_numbers(value: Any) -> bool:
    """Whether no bool hides among the numbers of a list, which numpy would take for 0 or 1."""
    if isinstance(value, (list, tuple)):
        return all(_all_numbers(part) for part in value)
    return not isinstance(value, (bool, np.bool_))
