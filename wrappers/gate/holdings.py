"""What an object of Python holds, by a name that a user knows: the places where a policy may keep
what it has seen.

Nothing of classes and functions of libraries, and of modules of Python only what a function of the
user names.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GeneratorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BaseModel
from torch import nn

MANY = 10_000
"""Entries of a container that are looked at."""
_LIBRARIES = frozenset(
    ("torch", "numpy", "scipy", "gymnasium", "stable_baselines3", "sb3_contrib", "safer_gym")
) | (sys.stdlib_module_names - {"__main__"})
_OF_CLASSES = frozenset(("__dict__", "__weakref__", "__doc__", "__module__", "__slots__"))
_HELD = frozenset(("_parameters", "_buffers", "_forward_hooks", "_forward_pre_hooks"))
_OF_TORCH = frozenset(vars(nn.Module())) - _HELD
"""What every module has; its mode is put back after each question."""


def holdings_of(thing: Any) -> Mapping[str, Any]:
    """The parts of a thing."""
    for kind, parts in _PARTS:
        if isinstance(thing, kind):
            return parts(thing)
    return _of_object(thing)


def _is_library(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] in _LIBRARIES


def _of_object(thing: Any) -> dict[str, Any]:
    own = dict(vars(thing)) if hasattr(thing, "__dict__") else {}
    for kind in type(thing).__mro__:
        slots = vars(kind).get("__slots__", ())
        names = [slots] if isinstance(slots, str) else list(slots)
        own |= {name: getattr(thing, name) for name in names if hasattr(thing, name)}
    return {**own, "class": type(thing)}


def _of_class(kind: type) -> dict[str, Any]:
    """Values that all objects of a class share, and its methods, which may reach further."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if not _is_library(base):
            found |= {name: part for name, part in vars(base).items() if name not in _OF_CLASSES}
    return found


def _of_function(function: Any) -> dict[str, Any]:
    if _is_library(function):
        return {}
    words = _words(function.__code__)
    named = {n: function.__globals__.get(n, sys.modules.get(n)) for n in words}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    named |= {name: _content(cell) for name, cell in cells}
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    given = {str(number): value for number, value in enumerate(defaults)}
    return {**_reached(named, words), **given, **vars(function)}


def _words(code: CodeType) -> set[str]:
    """Names of globals and attributes, those of functions inside included."""
    inside = [_words(part) for part in code.co_consts if isinstance(part, CodeType)]
    return {*code.co_names}.union(*inside)


def _reached(named: Mapping[str, Any], words: set[str]) -> dict[str, Any]:
    """What names stand for; of modules what else is named there."""
    found = dict(named)
    for name, module in named.items():
        if isinstance(module, ModuleType):
            inside = {word: vars(module)[word] for word in sorted(words & vars(module).keys())}
            found |= {f"{name}.{word}": value for word, value in inside.items()}
    return found


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _of_module(module: nn.Module) -> dict[str, Any]:
    own = {name: value for name, value in vars(module).items() if name not in _OF_TORCH}
    return {**own, **module._modules, "class": type(module)}


def _of_model(model: BaseAlgorithm | BaseModel) -> dict[str, Any]:
    """The parts that others wrote. Models of libraries keep their last distribution, and their
    buffers are compared apart."""
    policy = model.policy if isinstance(model, BaseAlgorithm) else model
    parts = dict(policy.named_modules()) if isinstance(policy, nn.Module) else {}
    return {name: part for name, part in parts.items() if name and not _is_library(type(part))}


def _of_iterator(iterator: Any) -> dict[str, Any]:
    """Where an iterator of Python stands: what a copy of it would be made from."""
    if not _is_library(type(iterator)):
        return _of_object(iterator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on
        try:
            return dict(zip("abcde", iterator.__reduce_ex__(2)[1:], strict=False))
        except (TypeError, ValueError):
            return {}


_PARTS: tuple[tuple[Any, Callable[[Any], Mapping[str, Any]]], ...] = (
    (ModuleType, lambda thing: {}),
    ((BaseAlgorithm, BaseModel), _of_model),
    (type, _of_class),
    (functools.partial, lambda made: {"f": made.func, "args": made.args, **made.keywords}),
    (FunctionType, _of_function),
    ((MethodType, BuiltinFunctionType, MethodWrapperType), lambda m: {"self": m.__self__}),
    (GeneratorType, lambda made: dict(made.gi_frame.f_locals) if made.gi_frame else {}),
    (nn.Module, _of_module),
    (Mapping, lambda many: {str(key): value for key, value in list(many.items())[:MANY]}),
    (np.ndarray, lambda many: {str(k): v for k, v in enumerate(many.reshape(-1)[:MANY])}),
    ((list, tuple, deque, set), lambda many: {str(k): v for k, v in enumerate([*many][-MANY:])}),
    (Iterator, _of_iterator),
)
