"""Arrays, numbers and network options from a pickle read as data: a short list of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from safer_gym.conformance.loading.as_data import Call, Name

ACTIVATIONS: dict[Name, type[nn.Module]] = {
    Name("torch.nn.modules.activation", name): getattr(nn, name)
    for name in (
        *("ReLU", "Tanh", "LeakyReLU", "ELU", "SELU", "SiLU", "GELU", "Mish", "Sigmoid"),
        *("Softplus", "Hardtanh", "ReLU6", "Softsign"),
    )
}
KINDS = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]
TYPES = {Name("numpy", np.dtype(kind).type.__name__): np.dtype(kind) for kind in KINDS}
TYPES |= {Name("numpy", name): np.dtype("?") for name in ("bool", "bool_")}
"""Scalar types, by the names under which numpy 1 and 2 pickle them. Another name may say how many
numbers one entry has."""
MAX_PARTS = 10_000


def array_of(value: Any) -> NDArray:
    """A numpy array in either of the two forms in which numpy pickles one.

    Raises:
        ValueError: another form, or an array of objects.
    """
    if not isinstance(value, Call) or value.function.module.split(".")[0] != "numpy":
        raise ValueError(f"found {_kind(value)} where an array was expected")
    if value.function.name == "_frombuffer":
        raw, dtype, shape, order = value.args
    elif value.function.name == "_reconstruct" and isinstance(value.state, tuple):
        _, shape, dtype, fortran, raw = value.state
        order = "F" if fortran else "C"
    else:
        raise ValueError(f"an array made by {value.function}")
    flat = np.frombuffer(_raw(raw), dtype=dtype_of(dtype))
    return flat.reshape(shape, order="F" if order == "F" else "C").copy()


def number_of(value: Any) -> float:
    """A number, of Python's or numpy's kind."""
    if isinstance(value, Call) and value.function.name == "scalar":
        dtype, raw = value.args
        return np.frombuffer(_raw(raw), dtype=dtype_of(dtype))[0].item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"found {_kind(value)} where a number was expected")
    return value


def _raw(value: Any) -> bytes | bytearray:
    if not isinstance(value, (bytes, bytearray)):  # bytes(10**11) would be a hundred gigabytes
        raise ValueError(f"found {_kind(value)} where the bytes of numbers were expected")
    return value


def dtype_of(value: Any) -> np.dtype:
    """A kind of number.

    Raises:
        ValueError: none of KINDS.
    """
    if isinstance(value, Name) and value in TYPES:
        return TYPES[value]
    kind = value.args[0] if isinstance(value, Call) and value.args else None
    if kind not in KINDS or value.function != Name("numpy", "dtype"):
        raise ValueError(f"an array of {kind if isinstance(kind, str) else _kind(value)}")
    order = value.state[1] if value.state else "="
    return np.dtype(kind).newbyteorder("<" if order in "<|=" else ">")


def activation_of(value: Any) -> type[nn.Module]:
    """An activation function's class.

    Raises:
        ValueError: none of torch's usual ones.
    """
    if value not in ACTIVATIONS:
        raise ValueError(f"the activation {value}; read as data are torch's own")
    return ACTIVATIONS[value]


def plain(value: Any) -> Any:
    """Numbers, texts, lists and dicts, nothing else.

    Raises:
        ValueError: something else, or too much of it.
    """
    left = iter(range(MAX_PARTS))

    def part(value: Any) -> Any:
        if next(left, None) is None:
            raise ValueError(f"more than {MAX_PARTS} values")
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (list, tuple)):
            return type(value)(map(part, value))
        if isinstance(value, dict):
            return {str(key): part(inner) for key, inner in value.items()}
        return number_of(value)

    return part(value)


def _kind(value: Any) -> str:
    if isinstance(value, (Call, Name)):
        return str(value.function if isinstance(value, Call) else value)
    return type(value).__name__
