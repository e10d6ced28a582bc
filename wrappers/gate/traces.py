"""What a policy writes into itself when it is asked: its buffers, counters, lists and streams."""

from __future__ import annotations

import functools
import hashlib
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, GeneratorType, MethodType
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BaseModel
from torch import Tensor, nn

from safer_gym.wrappers.policies.view import PolicyView

DEPTH = 5
"""Objects inside objects that are looked into."""
MOST = 20_000
"""Values that are looked at."""
LARGE = 100_000
"""Of larger arrays every n-th number is taken."""
LARGEST_SCRIPT = 10_000_000
"""Parameters; a larger one is not written out."""
_LIBRARIES = frozenset(
    ("builtins", "torch", "numpy", "gymnasium", "stable_baselines3", "sb3_contrib", "safer_gym")
)
_OF_CLASSES = frozenset(("__dict__", "__weakref__", "__doc__", "__module__", "__slots__"))
_OF_TORCH = frozenset(vars(nn.Module())) - {"_modules"} | {"training"}


def buffers_of(view: PolicyView) -> dict[str, Any]:
    """Every buffer and parameter of the policy's modules, in a form that can be compared."""
    found: dict[str, Any] = {}
    for module in view.modules:
        for name, tensor in itertools.chain(module.named_buffers(), module.named_parameters()):
            found[name] = _value(tensor)
    return found


def traces_of(view: PolicyView) -> dict[str, Any]:
    """Plain values that the policy's objects and functions hold, by a name that a user knows."""
    found: dict[str, Any] = {}
    for name, value in itertools.islice(_walk("policy", view.inner, DEPTH, set()), MOST):
        found[name] = value
    return found


def _walk(name: str, thing: Any, depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    value = _value(thing)
    if value is not None:
        yield name, value
    elif depth and id(thing) not in seen:
        seen.add(id(thing))
        for part, inner in _parts(thing).items():
            yield from _walk(f"{name}.{part}", inner, depth - 1, seen)


def _value(thing: Any) -> Any:
    """A plain value that does not change with what it was read from; None for other things."""
    if isinstance(thing, (bool, int, float, str, bytes)):
        return repr(thing)
    if isinstance(thing, torch.jit.ScriptModule):
        return _of_script(thing)
    if isinstance(thing, Tensor):
        return _value(thing.detach().cpu().numpy()) if thing.dtype != torch.bfloat16 else None
    if isinstance(thing, np.ndarray) and thing.dtype != object:
        return thing.shape, thing.reshape(-1)[:: max(1, thing.size // LARGE)].tobytes()
    if isinstance(thing, itertools.count):
        return repr(thing)
    state = _stream(thing)
    return None if state is None else repr(state)


def _of_script(module: Any) -> Any:
    """TorchScript's attributes are seen only in its file."""
    size = sum(parameter.numel() for parameter in module.parameters())
    return None if size > LARGEST_SCRIPT else hashlib.sha256(module.save_to_buffer()).hexdigest()


def _stream(thing: Any) -> Any:
    """Where a random generator stands."""
    if isinstance(thing, torch.Generator):
        return thing.get_state().numpy().tobytes()
    if isinstance(thing, np.random.Generator):
        return thing.bit_generator.state
    if isinstance(thing, np.random.RandomState):
        return thing.get_state(legacy=False)["state"]
    return thing.getstate() if isinstance(thing, random.Random) else None


def _parts(thing: Any) -> Mapping[str, Any]:
    """What a thing holds; nothing of classes, modules of Python, and models whose ways are known.

    Stable-Baselines3's models keep their last distribution; their buffers are compared apart.
    """
    for kind, parts in _PARTS:
        if isinstance(thing, kind):
            return parts(thing)
    return _of_object(thing)


def _of_object(thing: Any) -> dict[str, Any]:
    own = dict(vars(thing)) if hasattr(thing, "__dict__") else {}
    for kind in type(thing).__mro__:
        slots = vars(kind).get("__slots__", ())
        names = [slots] if isinstance(slots, str) else list(slots)
        own |= {name: getattr(thing, name) for name in names if hasattr(thing, name)}
    return {**own, "class": type(thing)}


def _of_class(kind: type) -> dict[str, Any]:
    """Values that all objects of a class share, and its methods, which may reach further."""
    bases = [base for base in kind.__mro__ if base.__module__.partition(".")[0] not in _LIBRARIES]
    found: dict[str, Any] = {}
    for base in reversed(bases):
        found |= {name: part for name, part in vars(base).items() if name not in _OF_CLASSES}
    return found


def _of_function(function: Any) -> dict[str, Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    found = {name: _content(cell) for name, cell in cells}
    names = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    defaults = dict(enumerate(function.__defaults__ or ()))
    return {**names, **{str(k): v for k, v in defaults.items()}, **found, **vars(function)}


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _of_module(module: nn.Module) -> dict[str, Any]:
    own = {name: value for name, value in vars(module).items() if name not in _OF_TORCH}
    return {**own, **module._modules, "class": type(module)}


_PARTS: tuple[tuple[Any, Callable[[Any], Mapping[str, Any]]], ...] = (
    ((type(itertools), BaseAlgorithm, BaseModel), lambda thing: {}),
    (type, _of_class),
    (functools.partial, lambda made: {"f": made.func, "args": made.args, **made.keywords}),
    (FunctionType, _of_function),
    (MethodType, lambda method: {"self": method.__self__}),
    (GeneratorType, lambda made: dict(made.gi_frame.f_locals) if made.gi_frame else {}),
    (nn.Module, _of_module),
    (Mapping, lambda mapping: {str(key): value for key, value in list(mapping.items())[:100]}),
    ((list, tuple, deque, set), lambda many: {str(k): v for k, v in enumerate([*many][-100:])}),
)
