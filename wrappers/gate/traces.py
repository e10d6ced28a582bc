"""What a policy writes into itself when it is asked: its buffers, counters, lists and streams."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor

from safer_gym.wrappers.gate.holdings import holdings_of
from safer_gym.wrappers.policies.view import PolicyView

DEPTH = 12
"""Objects inside objects that are looked into."""
MOST = 50_000
"""Values that are looked at."""
LARGE = 100_000
"""Of larger arrays every n-th number is taken."""
LARGEST_SCRIPT = 10_000_000
"""Parameters; a larger one is not written out."""


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
    for name, value in itertools.islice(_walk("policy", view.inner, DEPTH, {}), MOST):
        found[name] = value
    return found


def _walk(name: str, thing: Any, depth: int, seen: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    """`seen` keeps what it names: another object could be given the same id."""
    value = _value(thing)
    if value is not None:
        yield name, value
    elif depth and id(thing) not in seen:
        seen[id(thing)] = thing
        for part, inner in holdings_of(thing).items():
            yield from _walk(f"{name}.{part}", inner, depth - 1, seen)


def _value(thing: Any) -> Any:
    """A plain value that does not change with what it was read from; None for other things."""
    if isinstance(thing, (bool, int, float, str, bytes)):
        return repr(thing)
    if isinstance(thing, torch.jit.ScriptModule):
        return _of_script(thing)
    if isinstance(thing, Tensor):
        return _of_tensor(thing.detach())
    if isinstance(thing, np.ndarray):
        return None if thing.dtype.hasobject else (thing.shape, _sampled(thing))
    if isinstance(thing, itertools.count):
        return repr(thing)
    if isinstance(thing, ContextVar):
        return repr(thing.get(None))
    state = _stream(thing)
    return _of_memory(thing) if state is None else repr(state)


def _sampled(array: np.ndarray) -> bytes:
    return array.reshape(-1)[:: max(1, array.size // LARGE)].tobytes()


def _of_tensor(tensor: Tensor) -> Any:
    try:
        return _value(tensor.cpu().numpy())
    except (TypeError, RuntimeError):  # a type that NumPy does not have, or no dense numbers
        return repr(tensor.to_dense().double())


def _of_memory(thing: Any) -> Any:
    """What lends its bytes: a bytearray, an array, a number or a structure of ctypes, a mapped
    file."""
    try:
        return _sampled(np.frombuffer(memoryview(thing).tobytes(), np.uint8))
    except (TypeError, ValueError, BufferError):
        return None


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
    if isinstance(thing, np.random.BitGenerator):
        return thing.state
    if isinstance(thing, np.random.RandomState):
        return thing.get_state(legacy=False)["state"]
    return thing.getstate() if isinstance(thing, random.Random) else None
