"""Protocol buffers, the little of them that an ONNX file needs: fields by their numbers."""

from __future__ import annotations

import struct
from typing import Any

MAX_FIELDS = 1_000_000


class Message:
    """The fields of a message.

    Args:
        data: its bytes.

    Raises:
        ValueError: they are no message.
    """

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[Any]] = {}
        at, count = 0, 0
        while at < len(data):
            count += 1
            key, at = _varint(data, at)
            value, at = _value(data, at, key & 7)
            if count > MAX_FIELDS:
                raise ValueError(f"more than {MAX_FIELDS} fields")
            self._fields.setdefault(key >> 3, []).append(value)

    def messages(self, field: int) -> list[Message]:
        """Messages inside."""
        return [Message(value) for value in self.raw(field)]

    def texts(self, field: int) -> list[str]:
        """Texts."""
        return [value.decode() for value in self.raw(field)]

    def text(self, field: int) -> str:
        """One text; empty where there is none."""
        return (self.texts(field) or [""])[-1]

    def raw(self, field: int) -> list[bytes]:
        """What has a length."""
        return [value for value in self._fields.get(field, []) if isinstance(value, bytes)]

    def integers(self, field: int) -> list[int]:
        """Whole numbers, each on its own or many in one field."""
        found: list[int] = []
        for value in self._fields.get(field, []):
            if isinstance(value, int):
                found.append(_signed(value))
                continue
            at = 0
            while at < len(value):
                number, at = _varint(value, at)
                found.append(_signed(number))
        return found

    def floats(self, field: int, kind: str = "f") -> list[float]:
        """Numbers of float32 (`kind` "f") or float64 ("d"), one in a field or many."""
        size, found = struct.calcsize(f"<{kind}"), []
        for value in self._fields.get(field, []):
            raw = value if isinstance(value, bytes) else value.to_bytes(size, "little")
            found += [number for (number,) in struct.iter_unpack(f"<{kind}", raw)]
        return found


def _value(data: bytes, at: int, wire: int) -> tuple[Any, int]:
    if wire == 0:
        return _varint(data, at)
    if wire == 2:
        size, at = _varint(data, at)
    elif wire in (1, 5):
        size = 8 if wire == 1 else 4
    else:
        raise ValueError(f"a field of wire type {wire}")
    if at + size > len(data):
        raise ValueError("a message that is cut short")
    part = data[at : at + size]
    return (part if wire == 2 else int.from_bytes(part, "little")), at + size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a number that is cut short")
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 128:
            return value & (2**64 - 1), at


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
