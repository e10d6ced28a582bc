"""Spaces from a pickle read as data: gymnasium's, and those of the `gym` before it.

Both packages pickle the same fields; only Discrete's `start` came later.
"""

from __future__ import annotations

from typing import Any

from gymnasium import spaces

from safer_gym.conformance.loading.as_data import Call, Name
from safer_gym.conformance.loading.values import array_of, dtype_of, number_of


def space_of(value: Any) -> spaces.Space:
    """A Box, Discrete, MultiDiscrete or MultiBinary, or a Dict of these.

    Raises:
        ValueError: any other space.
    """
    maker = MAKERS.get(value.function) if isinstance(value, Call) else None
    if maker is None or not isinstance(value.state, dict):
        kind = value.function if isinstance(value, Call) else type(value).__name__
        raise ValueError(f"a space of kind {kind}; read as data are {', '.join(KINDS)}")
    try:
        return maker(value.state)
    except (AssertionError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"a damaged {value.function.name} space: {error!r}") from error


def _box(state: dict[str, Any]) -> spaces.Space:
    low, high = array_of(state["low"]), array_of(state["high"])
    return spaces.Box(low, high, dtype=dtype_of(state["dtype"]).type)


def _discrete(state: dict[str, Any]) -> spaces.Space:
    return spaces.Discrete(int(number_of(state["n"])), start=int(number_of(state.get("start", 0))))


def _multi_discrete(state: dict[str, Any]) -> spaces.Space:
    start = array_of(state["start"]) if "start" in state else None
    kind: Any = dtype_of(state["dtype"]).type
    return spaces.MultiDiscrete(array_of(state["nvec"]), kind, start=start)


def _multi_binary(state: dict[str, Any]) -> spaces.Space:
    n = state["n"]
    if isinstance(n, Call) and n.function.name in ("_reconstruct", "_frombuffer"):
        return spaces.MultiBinary(array_of(n))
    if isinstance(n, (tuple, list)):
        return spaces.MultiBinary([int(number_of(part)) for part in n])
    return spaces.MultiBinary(int(number_of(n)))


def _dict(state: dict[str, Any]) -> spaces.Space:
    parts = state["spaces"]
    items = parts.items if isinstance(parts, Call) else dict(parts)
    inner = [part.function for part in items.values() if isinstance(part, Call)]
    if any(MAKERS.get(function) is _dict for function in inner):
        raise ValueError("a Dict space inside a Dict space")
    return spaces.Dict({str(key): space_of(part) for key, part in items.items()})


KINDS = {
    "Box": _box,
    "Discrete": _discrete,
    "MultiDiscrete": _multi_discrete,
    "MultiBinary": _multi_binary,
    "Dict": _dict,
}
MAKERS = {
    Name(f"{package}.spaces.{module}", kind): KINDS[kind]
    for package in ("gymnasium", "gym")
    for module, kind in (
        ("box", "Box"),
        ("discrete", "Discrete"),
        ("multi_discrete", "MultiDiscrete"),
        ("multi_binary", "MultiBinary"),
        ("dict", "Dict"),
        ("dict_space", "Dict"),  # before gym 0.10
    )
}
