"""Zip files from strangers: read entry by entry, all of them together within a budget."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from safer_gym.conformance.untrusted import parse_json

MAX_UNPACKED = 2 * 1024**3
"""Bytes that all entries of an archive may hold unpacked."""
SLACK, RATIO = 16 * 1024**2, 20
"""Unpacked, an archive holds at most SLACK + RATIO times the bytes of its file. Weights hardly
shrink; a file that grows by more was made to fill the memory."""
MAX_ENTRIES = 20_000
KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1


@contextmanager
def opened(source: Path | bytes, what: str) -> Iterator[zipfile.ZipFile]:
    """The archive, open for reading; what is read from it inside the block is covered too.

    Raises:
        ValueError: it is no zip or a damaged one; two entries share a name; a name leaves the
            archive; or its entries are too large, too many, encrypted, or packed in a rare way.
    """
    data = io.BytesIO(source) if isinstance(source, bytes) else source
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    try:
        with zipfile.ZipFile(data) as archive:
            _check(archive, size)
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, OverflowError, NotImplementedError) as error:
        raise ValueError(f"{what} is no zip file, or a damaged one: {error}") from error
    except _Refused as error:
        raise ValueError(f"{what} is a zip file that is not read: {error}") from error


class _Refused(Exception):  # noqa: N818 (it never leaves this module)
    """Why an archive is not read."""


def _check(archive: zipfile.ZipFile, size: int) -> None:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise _Refused(f"it has {len(entries)} entries, more than {MAX_ENTRIES}")
    seen: set[str] = set()
    for info in entries:
        parts = PurePosixPath(info.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts:
            raise _Refused(f"the name {info.filename[:80]!r} leaves the archive")
        if info.filename in seen:
            raise _Refused(f"the entry {info.filename[:80]!r} is there twice")
        seen.add(info.filename)
        if info.compress_type not in KINDS or info.flag_bits & ENCRYPTED:
            raise _Refused(f"the entry {info.filename[:80]!r} is encrypted or packed in a rare way")
    unpacked, most = sum(i.file_size for i in entries), min(MAX_UNPACKED, SLACK + RATIO * size)
    if unpacked > most:
        raise _Refused(f"{size} bytes would become {unpacked}; at most {most} are unpacked")


def entry(archive: zipfile.ZipFile, name: str, what: str) -> bytes:
    """The bytes of one entry.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        return archive.read(name)
    except KeyError:
        raise ValueError(f"{what} has no entry {name!r}") from None


def json_entry(archive: zipfile.ZipFile, name: str, what: str) -> dict[str, Any]:
    """One entry, which must be a JSON object.

    Raises:
        ValueError: it is missing, too large, or something else.
    """
    value = parse_json(entry(archive, name, what), f"{what}: entry {name!r}")
    if not isinstance(value, dict):
        raise ValueError(f"{what}: entry {name!r} must be a JSON object")
    return value
