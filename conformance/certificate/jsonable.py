"""Frozen dataclasses to plain JSON and back, by their type hints. What is read is not trusted."""

from __future__ import annotations

import re
import reprlib
import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

DEEPEST = 4
"""How deep lists of numbers may be nested where no type says it."""
LARGEST_INTEGER = 2**63 - 1
LARGEST_FLOAT = sys.float_info.max
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that could rewrite a terminal's lines, and lone surrogates."""


SPARSE = {"sparse": True}
"""Metadata of a field that is not written where it has its default."""


def to_json(value: Any) -> Any:
    """Dicts, lists, strings, numbers, booleans and None, ready for `json.dumps`."""
    if is_dataclass(value) and not isinstance(value, type):
        held = {field: getattr(value, field.name) for field in fields(value)}
        return {
            field.name: to_json(item)
            for field, item in held.items()
            if not (field.metadata == SPARSE and item == field.default)
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def from_json(cls: type[T], data: Any, name: str = "", *, strict: bool = False) -> T:
    """Undo `to_json` for a dataclass.

    Args:
        name: of the place, for messages.
        strict: refuse what `to_json` would not write: a key left out, a float without a point.
            Otherwise a missing key takes the field's default.

    Raises:
        ValueError: a key is unknown or missing; a value has another type, is not finite, or is text
            that a terminal would not show as it is. Names the place.
    """
    place = name.lstrip(".") or cls.__name__
    if not isinstance(data, Mapping):
        raise ValueError(f"{place} must be an object, got {shown(data)}")
    kind: Any = cls
    hints = _hints(kind)
    unknown = [key for key in data if key not in hints]
    if unknown:
        raise ValueError(f"{place} has the unknown key {shown(unknown[0])}")
    optional = sparse_fields(kind) if strict else _with_default(kind)
    missing = [key for key in hints if key not in data and key not in optional]
    if missing:
        raise ValueError(f"{place} lacks the key {missing[0]!r}")
    values = {key: _typed(hints[key], item, f"{name}.{key}", strict) for key, item in data.items()}
    return cls(**values)


def shown(data: Any) -> str:
    """A value for a message: one line, and short."""
    return reprlib.repr(data)


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


@cache
def sparse_fields(cls: Any) -> tuple[str, ...]:
    """Names of the fields that may be left out of what is written."""
    return tuple(f.name for f in fields(cls) if f.metadata == SPARSE)


@cache
def _with_default(cls: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(cls) if f.default is not MISSING)


def _typed(hint: Any, data: Any, name: str, strict: bool) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = next(a for a in arguments if a is not type(None))
        return None if data is None else _typed(inner, data, name, strict)
    if isinstance(hint, type) and is_dataclass(hint):
        return from_json(hint, data, name, strict=strict)
    if origin is tuple:
        return tuple(
            _typed(arguments[0], item, f"{name}[{i}]", strict)
            for i, item in enumerate(_of_type(list, data, name))
        )
    if origin is dict:
        return {
            _text(key, name): _typed(arguments[1], item, f"{name}.{key}", strict)
            for key, item in _of_type(dict, data, name).items()
        }
    if origin is Literal:
        return _one_of(arguments, data, name)
    if hint is Any:
        return _numbers(data, name, DEEPEST, strict)
    return _scalar(hint, data, name, strict)


def _scalar(hint: Any, data: Any, name: str, strict: bool) -> Any:
    if hint is float:
        return _finite(_of_type(float if strict else (int, float), data, name), name)
    value = _of_type(hint, data, name)
    if hint is int and abs(value) > LARGEST_INTEGER:
        raise ValueError(f"{name.lstrip('.')} is too large: {shown(value)}")
    return _text(value, name) if hint is str else value


def _numbers(data: Any, name: str, depth: int, strict: bool) -> Any:
    """Lists of numbers, to a small depth."""
    if not isinstance(data, list):
        return _scalar(float, data, name, strict)
    if depth == 0:
        raise ValueError(f"{name.lstrip('.')} is nested too deeply")
    return [_numbers(item, name, depth - 1, strict) for item in data]


def _of_type(kind: Any, data: Any, name: str) -> Any:
    wrong = isinstance(data, bool) and kind is not bool
    if wrong or not isinstance(data, kind):
        raise ValueError(f"{name.lstrip('.')} has the wrong type: {shown(data)}")
    return data


def _finite(value: Any, name: str) -> float:
    if not abs(value) <= LARGEST_FLOAT:
        raise ValueError(f"{name.lstrip('.')} must be finite, got {shown(value)}")
    return float(value)


def _text(value: str, name: str) -> str:
    if _HIDDEN.search(value):
        raise ValueError(f"{name.lstrip('.')} holds control characters: {shown(value)}")
    return value


def _one_of(options: tuple[Any, ...], data: Any, name: str) -> Any:
    if data not in options:
        raise ValueError(f"{name.lstrip('.')} must be one of {options}, got {shown(data)}")
    return data
