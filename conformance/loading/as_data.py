"""Read a pickle without unpickling it: nothing is imported or called, it only becomes data.

A pickle is a small program. Here its opcodes are only written down: a name stays a `Name`, a call
stays a `Call`. So a file may say `os.system("...")`; it is read as that sentence and not obeyed.
Stable-Baselines3 and torch write their files with few opcodes; any other is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

MAX_OPCODES = 200_000
"""A saved model has some thousands."""
MAX_TUPLE = 5_000
"""Values in a tuple and in the tuples inside it. A pickle can put one tuple twice into the next,
and that twice into another: to hash the sixtieth takes 2^60 steps."""
MAX_BITS = 256
"""Of a whole number; a random generator's state has 128."""
KEYS = (str, bytes, int, float, bool, type(None))
"""Types of a dict's keys and of a set's elements."""


class Name(NamedTuple):
    """Something that the pickle would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Persistent:
    """A reference to something beside the pickle, such as a tensor's numbers."""

    key: Any


@dataclass(eq=False)
class Call:
    """Something that the pickle would call or make, and what it would then put into it."""

    function: Name
    args: tuple
    state: Any = None
    items: dict = field(default_factory=dict)
    elements: list = field(default_factory=list)

    def __repr__(self) -> str:
        return f"a call of {self.function}"  # what is inside may refer to itself


_Mark = object()


def read_pickle(data: bytes | IO[bytes]) -> Any:
    """The pickle's content: plain values, `Name`, `Call` and `Persistent`.

    Of a stream one pickle is read, and the stream then stands behind it.

    >>> import pickle
    >>> read_pickle(pickle.dumps({"net_arch": [64, 64], "activation": dict}))
    {'net_arch': [64, 64], 'activation': Name(module='builtins', name='dict')}

    Raises:
        ValueError: it is no pickle, a broken one, or uses an opcode that no saved model needs.
    """
    reader = _Reader()
    try:
        for count, (opcode, arg, _) in enumerate(pickletools.genops(data)):
            if count > MAX_OPCODES:
                raise ValueError(f"more than {MAX_OPCODES} opcodes")
            if opcode.name == "STOP":
                return reader.pop()
            reader.step(opcode.name, arg)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"a pickle that cannot be read as data: {error}") from error
    raise ValueError("a pickle that cannot be read as data: it has no end")


def walk(value: Any) -> Iterator[Any]:
    """Each part of what `read_pickle` gave, once, and the value itself."""
    seen: set[int] = set()
    todo = [value]
    while todo:
        part = todo.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, Call):
            todo += (*part.args, part.state, part.items, part.elements)
        elif isinstance(part, dict):
            todo += (*part, *part.values())
        elif isinstance(part, (list, tuple, set)):
            todo += part


class _Reader:
    """The stack and the memo of the pickle's little machine."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.weights: dict[int, int] = {}
        self.tuples: list[tuple] = []  # kept, so that their ids stay theirs

    def step(self, name: str, arg: Any) -> None:
        if name in _LITERALS:
            if isinstance(arg, int) and arg.bit_length() > MAX_BITS:
                raise ValueError(f"a whole number of {arg.bit_length()} bits")
            self.stack.append(arg)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _ACTIONS:
            _ACTIONS[name](self, arg)
        else:
            raise ValueError(f"opcode {name}")

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _Mark:
            raise ValueError("a mark where a value should be")
        return value

    def pop_marked(self) -> list[Any]:
        values: list[Any] = []
        while (value := self.stack.pop()) is not _Mark:
            values.append(value)
        return values[::-1]

    def pack(self, values: list[Any]) -> None:
        weight = 1 + sum(self.weights.get(id(value), 1) for value in values)
        if weight > MAX_TUPLE:
            raise ValueError(f"a tuple of more than {MAX_TUPLE} values")
        made = tuple(values)
        self.weights[id(made)] = weight
        self.tuples.append(made)
        self.stack.append(made)

    def put(self, key: int | None) -> None:
        self.memo[len(self.memo) if key is None else key] = self.stack[-1]

    def name(self, module: Any, name: Any) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("a name that is no text")
        self.stack.append(Name(module, name))

    def call(self) -> None:
        args, function = self.pop(), self.pop()
        if not isinstance(function, Name) or not isinstance(args, tuple):
            raise ValueError("a call of something without a name")
        self.stack.append(Call(function, args))

    def build(self) -> None:
        state, made = self.pop(), self.stack[-1]
        if not isinstance(made, Call):
            raise ValueError("a state for something that was not made")
        made.state = state

    def extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        (target.elements if isinstance(target, Call) else _as(list, target)).extend(values)

    def add(self, values: list[Any]) -> None:
        _as(set, self.stack[-1]).update(map(_key, values))

    def set(self, values: list[Any]) -> None:
        target = self.stack[-1]
        items = target.items if isinstance(target, Call) else _as(dict, target)
        items.update(zip(map(_key, values[::2]), values[1::2], strict=True))


def _as(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"something put into a {type(value).__name__}")
    return value


def _key(value: Any) -> Any:
    if not isinstance(value, KEYS):
        raise ValueError(f"a {type(value).__name__} as the key of a dict")
    return value


def _global(reader: _Reader, arg: str) -> None:
    module, _, name = arg.partition(" ")
    reader.name(module, name)


def _stack_global(reader: _Reader, arg: Any) -> None:
    name, module = reader.pop(), reader.pop()
    reader.name(module, name)


def _tuple_of(count: int) -> Callable[[_Reader, Any], None]:
    def action(reader: _Reader, arg: Any) -> None:
        reader.pack([reader.pop() for _ in range(count)][::-1])

    return action


_LITERALS = frozenset(
    {
        *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
        *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    }
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
    "MARK": lambda: _Mark,
}
_ACTIONS: dict[str, Callable[[_Reader, Any], None]] = {
    "PROTO": lambda reader, arg: None,
    "FRAME": lambda reader, arg: None,
    "MEMOIZE": lambda reader, arg: reader.put(None),
    "BINPUT": lambda reader, arg: reader.put(arg),
    "LONG_BINPUT": lambda reader, arg: reader.put(arg),
    "BINGET": lambda reader, arg: reader.stack.append(reader.memo[arg]),
    "LONG_BINGET": lambda reader, arg: reader.stack.append(reader.memo[arg]),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": lambda reader, arg: reader.call(),
    "NEWOBJ": lambda reader, arg: reader.call(),
    "BUILD": lambda reader, arg: reader.build(),
    "TUPLE": lambda reader, arg: reader.pack(reader.pop_marked()),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "APPEND": lambda reader, arg: reader.extend([reader.pop()]),
    "APPENDS": lambda reader, arg: reader.extend(reader.pop_marked()),
    "ADDITEMS": lambda reader, arg: reader.add(reader.pop_marked()),
    "SETITEM": lambda reader, arg: reader.set([reader.pop(), reader.pop()][::-1]),
    "SETITEMS": lambda reader, arg: reader.set(reader.pop_marked()),
    "BINPERSID": lambda reader, arg: reader.stack.append(Persistent(reader.pop())),
}
