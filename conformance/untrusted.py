"""JSON and text files from strangers: bounded in size and depth, and no key twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MOST_BYTES = 256 * 2**20


def read_json(path: str | Path) -> Any:
    """What a JSON file holds.

    Numbers may be infinite and strings may hold anything: see `jsonable` for strict types.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not JSON, too large, nested too deeply, or an object with one key twice.
    """
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_text(path: str | Path, most: int = MOST_BYTES) -> str:
    """The text of a UTF-8 file of at most `most` bytes.

    Raises:
        FileNotFoundError: no such file.
        ValueError: larger, or not UTF-8.
    """
    with Path(path).open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{path} is larger than {most} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error}") from error


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:80]!r} is there twice")
    return found
