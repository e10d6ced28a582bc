"""The format of torch.save before 1.6: pickles in a row, then the raw numbers of each storage."""

from __future__ import annotations

import io
import pickle
from typing import Any

from safer_gym.conformance.loading.as_data import Persistent, read_pickle, walk
from safer_gym.conformance.loading.tensors import RawStorage, storage_of

MAGIC = 0x1950A86A20F9469CFC6C
MARK = pickle.dumps(MAGIC, 2)
VERSION = 1001


def is_legacy(data: bytes) -> bool:
    """Whether a file that starts so is of this format."""
    return data.startswith(MARK)


def read_legacy(data: bytes) -> tuple[Any, RawStorage]:
    """The pickled content as data, and the numbers that it refers to.

    Raises:
        ValueError: it is damaged, or was written on a big-endian machine.
    """
    stream = io.BytesIO(data)
    _, version, system = (read_pickle(stream) for _ in range(3))
    if version != VERSION or not isinstance(system, dict):
        raise ValueError(f"a torch file of protocol {version}")
    if system.get("little_endian") is not True:
        raise ValueError("it was written on a big-endian machine")
    content, keys = read_pickle(stream), read_pickle(stream)
    found = [storage_of(part) for part in walk(content) if isinstance(part, Persistent)]
    sizes = {key: dtype.itemsize for key, dtype, _ in found}
    storages = {}
    for key in keys if isinstance(keys, list) else ():
        if key not in sizes:
            raise ValueError("a storage that no tensor uses")
        count = int.from_bytes(stream.read(8), "little")
        storages[key] = stream.read(min(count * sizes[key], len(data)))
    return content, lambda key: storages.get(key, b"")
