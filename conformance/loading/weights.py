"""The tensors of a torch file, read as data: no unpickler of any kind runs.

`torch.load(weights_only=True)` is meant for this too, but releases before 2.6 could be made to run
code with it, and this package accepts older ones. The zip format is simple: a pickle that names
the tensors, and one entry with the raw numbers of each storage.
"""

from __future__ import annotations

import math
import zipfile
from typing import Any

import torch
from torch import Tensor

from safer_gym.conformance.loading.archives import entry, opened
from safer_gym.conformance.loading.as_data import Call, Name, Persistent, read_pickle

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
ORDERED_DICT = Name("collections", "OrderedDict")
TENSOR = Name("torch._utils", "_rebuild_tensor_v2")
PARAMETER = Name("torch._utils", "_rebuild_parameter")
MAX_COPIES = 8
"""Tensors may share a storage, as one feature extractor has several names; all of them together
are at most so many times as large as the file."""
MAX_DIMS = 8


def read_weights(data: bytes, what: str) -> dict[str, Tensor]:
    """Names to tensors, on the CPU, from the bytes of a saved state dict.

    Raises:
        ValueError: it holds something else than tensors, or is damaged.
    """
    with opened(data, what) as archive:
        folder = _folder(archive, what)
        try:
            found = read_pickle(entry(archive, f"{folder}/data.pkl", what))
            items = found.items if isinstance(found, Call) else dict(found)
            if isinstance(found, Call) and found.function != ORDERED_DICT:
                raise ValueError(f"a {found.function} instead of a dict of tensors")
            storages = _Storages(archive, folder, what, MAX_COPIES * len(data))
            return {_text(name): storages.tensor(value) for name, value in items.items()}
        except (TypeError, ValueError) as error:
            raise ValueError(f"{what} cannot be read as a dict of tensors: {error}") from error


def _folder(archive: zipfile.ZipFile, what: str) -> str:
    found = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(found) != 1 or found[0].count("/") != 1:
        raise ValueError(f"{what} is not a file that torch.save of version 1.6 or newer wrote")
    folder = found[0].partition("/")[0]
    order = f"{folder}/byteorder"
    if order in archive.namelist() and entry(archive, order, what) != b"little":
        raise ValueError(f"{what} was written on a big-endian machine")
    return folder


class _Storages:
    """Raw numbers beside the pickle, each read once."""

    def __init__(self, archive: zipfile.ZipFile, folder: str, what: str, budget: int) -> None:
        self.archive, self.folder, self.what = archive, folder, what
        self.budget = budget  # bytes of the tensors that are still allowed
        self.read: dict[str, Tensor] = {}

    def tensor(self, value: Any) -> Tensor:
        """A tensor, as its recipe says; every number it shows lies inside its storage."""
        if isinstance(value, Call) and value.function == PARAMETER:
            return self.tensor(value.args[0])
        if not isinstance(value, Call) or value.function != TENSOR:
            raise ValueError(f"found {_short(value)} where a tensor was expected")
        storage, offset, size, stride = value.args[:4]
        numbers = self._storage(storage)
        _check_inside(len(numbers), offset, size, stride)
        self.budget -= math.prod(size) * numbers.element_size()
        if self.budget < 0:
            raise ValueError("its tensors repeat their storages until they fill the memory")
        return torch.as_strided(numbers, size, stride, offset).clone()

    def _storage(self, value: Any) -> Tensor:
        if not isinstance(value, Persistent) or len(value.key) != 5:
            raise ValueError("a tensor without a storage")
        word, kind, key, _, count = value.key
        if word != "storage" or not isinstance(kind, Name) or kind.module != "torch":
            raise ValueError(f"a storage of kind {kind}")
        if kind.name not in DTYPES:
            raise ValueError(f"numbers of kind {kind.name}")
        if type(count) is not int or count < 0:
            raise ValueError(f"a storage of {_short(count)} numbers")
        if _text(key) not in self.read:
            raw = bytearray(entry(self.archive, f"{self.folder}/data/{key}", self.what))
            dtype = DTYPES[kind.name]
            if not raw or len(raw) != count * dtype.itemsize:
                raise ValueError(f"storage {key} holds {len(raw)} bytes for {count} numbers")
            self.read[key] = torch.frombuffer(raw, dtype=dtype)
        return self.read[key]


def _check_inside(count: int, offset: Any, size: Any, stride: Any) -> None:
    if not (isinstance(size, tuple) and isinstance(stride, tuple) and len(size) <= MAX_DIMS):
        raise ValueError("a tensor without a shape")
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(type(n) is int and 0 <= n <= count for n in numbers):
        raise ValueError("a tensor whose shape does not fit its storage")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if math.prod(size) > count or (0 not in size and last >= count):
        raise ValueError("a tensor that reaches beyond its storage")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"found {_short(value)} where a name was expected")
    return value


def _short(value: Any) -> str:
    return f"a call of {value.function}" if isinstance(value, Call) else type(value).__name__
