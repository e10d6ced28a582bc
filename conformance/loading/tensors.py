"""Tensors as a torch file describes them: a recipe in its pickle, and raw numbers beside it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from safer_gym.conformance.loading.as_data import Call, Name, Persistent

RawStorage = Callable[[str], bytes]
"""From the key of a storage to its bytes."""

DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
TENSOR = Name("torch._utils", "_rebuild_tensor_v2")
PARAMETER = Name("torch._utils", "_rebuild_parameter")
MAX_DIMS = 8


class Storages:
    """Raw numbers beside the pickle, each read once.

    Args:
        raw: the numbers.
        budget: bytes that all tensors may have.
    """

    def __init__(self, raw: RawStorage, budget: int) -> None:
        self.raw, self.budget = raw, budget
        self.read: dict[str, Tensor] = {}

    def tensor(self, value: Any) -> Tensor:
        """A tensor, as its recipe says; every number it shows lies inside its storage."""
        if isinstance(value, Call) and value.function == PARAMETER:
            return self.tensor(value.args[0])
        if not isinstance(value, Call) or value.function != TENSOR:
            raise ValueError(f"found {kind_of(value)} where a tensor was expected")
        storage, offset, size, stride = value.args[:4]
        numbers = self._storage(storage)
        _check_inside(len(numbers), offset, size, stride)
        self.budget -= math.prod(size) * numbers.element_size()
        if self.budget < 0:
            raise ValueError("its tensors repeat their storages until they fill the memory")
        return torch.as_strided(numbers, size, stride, offset).clone()

    def _storage(self, value: Any) -> Tensor:
        key, dtype, count = storage_of(value)
        if key not in self.read:
            raw = bytearray(self.raw(key))
            if not raw or len(raw) != count * dtype.itemsize:
                raise ValueError(f"storage {key} holds {len(raw)} bytes for {count} numbers")
            self.read[key] = torch.frombuffer(raw, dtype=dtype)
        return self.read[key]


def storage_of(value: Any) -> tuple[str, torch.dtype, int]:
    """Key, kind and count of the numbers that a tensor's recipe refers to.

    Raises:
        ValueError: it refers to none, or to numbers of another kind.
    """
    key = value.key if isinstance(value, Persistent) else None
    # Before torch 1.6 a sixth part followed: of which other storage this one is a view.
    if not isinstance(key, tuple) or len(key) not in (5, 6) or key[5:] not in ((), (None,)):
        raise ValueError("a tensor without a storage of its own")
    word, kind, name, _, count = key[:5]
    if word != "storage" or not isinstance(kind, Name) or kind.module != "torch":
        raise ValueError(f"a storage of kind {kind}")
    if kind.name not in DTYPES:
        raise ValueError(f"numbers of kind {kind.name}")
    if type(count) is not int or count < 0:
        raise ValueError(f"a storage of {kind_of(count)} numbers")
    return text_of(name), DTYPES[kind.name], count


def _check_inside(count: int, offset: Any, size: Any, stride: Any) -> None:
    if not (isinstance(size, tuple) and isinstance(stride, tuple) and len(size) <= MAX_DIMS):
        raise ValueError("a tensor without a shape")
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(type(n) is int and 0 <= n <= count for n in numbers):
        raise ValueError("a tensor whose shape does not fit its storage")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if math.prod(size) > count or (0 not in size and last >= count):
        raise ValueError("a tensor that reaches beyond its storage")


def text_of(value: Any) -> str:
    """A name. Raises ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError(f"found {kind_of(value)} where a name was expected")
    return value


def kind_of(value: Any) -> str:
    """What a value is, for messages."""
    return f"a call of {value.function}" if isinstance(value, Call) else type(value).__name__
