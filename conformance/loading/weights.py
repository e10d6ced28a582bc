"""The tensors of a torch file, read as data: no unpickler of any kind runs.

`torch.load(weights_only=True)` is meant for this too, but releases before 2.6 could be made to run
code with it, and this package accepts older ones. The zip format is simple: a pickle that names
the tensors, and one entry with the raw numbers of each storage. So is the format before torch 1.6.
"""

from __future__ import annotations

import zipfile
from typing import Any

from torch import Tensor

from safer_gym.conformance.loading.archives import entry, opened
from safer_gym.conformance.loading.as_data import Call, Name, read_pickle
from safer_gym.conformance.loading.legacy_torch import is_legacy, read_legacy
from safer_gym.conformance.loading.tensors import RawStorage, Storages, text_of

ORDERED_DICT = Name("collections", "OrderedDict")
MAX_COPIES = 8
"""Tensors may share a storage, as one feature extractor has several names; all of them together
are at most so many times as large as the file."""


def read_weights(data: bytes, what: str) -> dict[str, Tensor]:
    """Names to tensors, on the CPU, from the bytes of a saved state dict.

    Raises:
        ValueError: it holds something else than tensors, or is damaged.
    """
    try:
        if is_legacy(data):
            return _tensors(*read_legacy(data), len(data))
        with opened(data, what) as archive:
            folder = folder_of(archive, what)
            content = read_pickle(entry(archive, f"{folder}/data.pkl", what))

            def numbers(key: str) -> bytes:
                return entry(archive, f"{folder}/data/{key}", what)

            return _tensors(content, numbers, len(data))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} cannot be read as a dict of tensors: {error}") from error


def _tensors(found: Any, raw: RawStorage, size: int) -> dict[str, Tensor]:
    items = found.items if isinstance(found, Call) else dict(found)
    if isinstance(found, Call) and found.function != ORDERED_DICT:
        raise ValueError(f"a {found.function} instead of a dict of tensors")
    storages = Storages(raw, MAX_COPIES * size)
    return {text_of(name): storages.tensor(value) for name, value in items.items()}


def folder_of(archive: zipfile.ZipFile, what: str) -> str:
    """The folder that torch puts around the entries of an archive.

    Raises:
        ValueError: it is none of torch's, or was written on a big-endian machine.
    """
    found = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(found) != 1 or found[0].count("/") != 1:
        raise ValueError("it is not a file that torch.save wrote")
    folder = found[0].partition("/")[0]
    order = f"{folder}/byteorder"
    if order in archive.namelist() and entry(archive, order, what) != b"little":
        raise ValueError("it was written on a big-endian machine")
    return folder
