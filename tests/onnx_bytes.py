"""ONNX files written by hand, field by field: the package that writes them is not needed."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

FLOAT, INT64 = 1, 7


def number(field: int, value: int) -> bytes:
    """A varint field of a protocol buffer."""
    return _varint(field << 3) + _varint(value)


def text(field: int, value: str | bytes) -> bytes:
    """A field with a length: a string, bytes or a message."""
    content = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def tensor(name: str, value: np.ndarray) -> bytes:
    """A TensorProto of floats, or of whole numbers."""
    dims = b"".join(number(1, size) for size in value.shape)
    kind, dtype = (INT64, "<i8") if value.dtype == np.int64 else (FLOAT, "<f4")
    return dims + number(2, kind) + text(8, name) + text(9, value.astype(dtype).tobytes())


def external_tensor(name: str, shape: Sequence[int], location: str) -> bytes:
    """A TensorProto whose numbers are in another file."""
    dims = b"".join(number(1, size) for size in shape)
    where = text(13, text(1, "location") + text(2, location))
    return dims + number(2, FLOAT) + text(8, name) + where + number(14, 1)


def node(
    op: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: float | str
) -> bytes:
    """A NodeProto; whole numbers, floats and texts as attributes."""
    named = b"".join(text(1, name) for name in inputs)
    given = b"".join(text(5, attribute(name, value)) for name, value in attributes.items())
    return named + text(2, output) + text(4, op) + given + text(7, domain)


def attribute(name: str, value: float | str) -> bytes:
    """An AttributeProto."""
    if isinstance(value, str):
        return text(1, name) + text(4, value) + number(20, 3)
    if isinstance(value, int):
        return text(1, name) + number(3, value % 2**64) + number(20, 2)
    return text(1, name) + _varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)


def value(name: str, shape: Sequence[int | str]) -> bytes:
    """A ValueInfoProto: a tensor of floats; a text is a size that is not fixed."""
    dims = b"".join(
        text(1, number(1, size) if isinstance(size, int) else text(2, size)) for size in shape
    )
    return text(1, name) + text(2, text(1, number(1, FLOAT) + text(2, dims)))


def model(
    nodes: Sequence[bytes],
    tensors: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    opset: int = 13,
) -> bytes:
    """A ModelProto."""
    graph = b"".join(text(1, part) for part in nodes) + text(2, "policy")
    graph += b"".join(text(5, part) for part in tensors)
    graph += b"".join(text(11, part) for part in inputs)
    graph += b"".join(text(12, part) for part in outputs)
    return number(1, 8) + text(7, graph) + text(8, number(2, opset))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
