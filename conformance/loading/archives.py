"""Zip files from strangers: read entry by entry, each within a limit."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MAX_ENTRY = 2 * 1024**3
"""Bytes that one entry may hold unpacked: a small file can claim to be a huge one."""


@contextmanager
def opened(source: Path | bytes, what: str) -> Iterator[zipfile.ZipFile]:
    """The archive, open for reading.

    Raises:
        ValueError: it is no zip, or a damaged one.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            yield file
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ValueError(f"{what} is no zip file, or a damaged one: {error}") from error


def entry(archive: zipfile.ZipFile, name: str, what: str) -> bytes:
    """The bytes of one entry.

    Raises:
        ValueError: there is none of that name, or it is larger than MAX_ENTRY.
    """
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"{what} has no entry {name!r}") from None
    if info.file_size > MAX_ENTRY:
        raise ValueError(f"{what}: entry {name!r} would hold {info.file_size} bytes unpacked")
    return archive.read(info)


def json_entry(archive: zipfile.ZipFile, name: str, what: str) -> dict[str, Any]:
    """One entry, which must be a JSON object.

    Raises:
        ValueError: it is missing, too large, or something else.
    """
    try:
        value = json.loads(entry(archive, name, what))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{what}: entry {name!r} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{what}: entry {name!r} must be a JSON object")
    return value
