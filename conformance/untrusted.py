"""JSON and text files from strangers: bounded in size and depth, and no key twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MOST_BYTES = 64 * 2**20
MOST_PARTS = 2_000_000
"""Lists and objects in one text: a byte of "[],[],[]" takes twenty of memory."""


def read_json(path: str | Path) -> Any:
    """What a JSON file holds.

    Numbers may be infinite and strings may hold anything: see `jsonable` for strict types.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not JSON, too large, nested too deeply, or an object with one key twice.
    """
    return parse_json(_read_bytes(path, MOST_BYTES), str(path))


def parse_json(content: bytes, what: str) -> Any:
    """What a JSON text holds; errors as `read_json`, with `what` as the file's name."""
    if len(content) > MOST_BYTES or content.count(b"[") + content.count(b"{") > MOST_PARTS:
        raise ValueError(f"{what} is too large: {len(content)} bytes of JSON")
    try:
        return json.loads(_decoded(content, what), object_pairs_hook=_once)
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{what} is not JSON: {error}") from error
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


def read_text(path: str | Path, most: int = MOST_BYTES) -> str:
    """The text of a UTF-8 file of at most `most` bytes.

    Raises:
        FileNotFoundError: no such file.
        ValueError: larger, or not UTF-8.
    """
    return _decoded(_read_bytes(path, most), str(path))


def _read_bytes(path: str | Path, most: int) -> bytes:
    with Path(path).open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{path} is larger than {most} bytes")
    return content


def _decoded(content: bytes, what: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{what} is not UTF-8: {error}") from error


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:80]!r} is there twice")
        found[key] = value
    return found
