"""Writing files so that a kill leaves the old one or the new one, never half of one."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

_NUMBERS = re.compile(r"\[\s*(?:-?\d[\d.eE+-]*,?\s*)+\]")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write beside `path`, then replace it in one step.

    Raises:
        OSError: it could not be written, as on a full disk; `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, atomically; a list of numbers takes one line."""
    text = json.dumps(value, indent=1)
    write_atomically(path, _NUMBERS.sub(lambda found: " ".join(found[0].split()), text) + "\n")


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            found.update(part)
    return found.hexdigest()
