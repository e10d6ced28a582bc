"""Frozen dataclasses to plain JSON and back, by their type hints."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Dicts, lists, strings, numbers, booleans and None, ready for `json.dumps`."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def from_json(cls: type[T], data: Any, name: str = "") -> T:
    """Undo `to_json` for a dataclass; a missing key takes the field's default.

    Raises:
        ValueError: a key is unknown, or missing without default, or a value has another type;
            names the place.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"{name or cls.__name__} must be an object, got {data!r}")
    hints = _hints(cls)
    unknown = [key for key in data if key not in hints]
    if unknown:
        raise ValueError(f"{name or cls.__name__} has the unknown key {unknown[0]!r}")
    values = {key: _typed(hints[key], item, f"{name}.{key}") for key, item in data.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(f"{name or cls.__name__}: {error}") from error


def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _typed(hint: Any, data: Any, name: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if data is None:
            return _typed(type(None), data, name)
        return _typed(next(a for a in arguments if a is not type(None)), data, name)
    if isinstance(hint, type) and is_dataclass(hint):
        return from_json(hint, data, name)
    if origin is tuple:
        return tuple(
            _typed(arguments[0], item, f"{name}[{i}]")
            for i, item in enumerate(_of_type(list, data, name))
        )
    if origin is Literal:
        return _one_of(arguments, data, name)
    if hint is float:
        return float(_of_type((int, float), data, name))
    if isinstance(hint, type):
        return _of_type(hint, data, name)
    return dict(data) if isinstance(data, Mapping) else data


def _of_type(kind: Any, data: Any, name: str) -> Any:
    wrong = isinstance(data, bool) and kind is not bool
    if wrong or not isinstance(data, kind):
        raise ValueError(f"{name.lstrip('.')} has the wrong type: {data!r}")
    return data


def _one_of(options: tuple[Any, ...], data: Any, name: str) -> Any:
    if data not in options:
        raise ValueError(f"{name.lstrip('.')} must be one of {options}, got {data!r}")
    return data
