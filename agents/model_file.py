"""Model files: written whole or not at all, and read only by the algorithm that wrote them."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LAYOUT = 3
"""Of a saved agent's attributes. Agents of another layout cannot go on learning here."""

FilePath = str | Path | io.BufferedIOBase


def read_data(path: FilePath) -> dict[str, Any]:
    """What a saved model says of itself.

    Raises:
        ValueError: the file is not a model.
        FileNotFoundError: there is no such file, with or without ".zip".
    """
    file = path
    if not isinstance(file, io.BufferedIOBase):
        file = Path(file)
        file = file if file.exists() or file.suffix else file.with_name(file.name + ".zip")
    try:
        with zipfile.ZipFile(file) as archive:
            return dict(json.loads(archive.read("data")))
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a saved model, or a broken one: {error}.") from error
    finally:
        if isinstance(file, io.BufferedIOBase):
            file.seek(0)


@contextmanager
def replacing(path: FilePath, suffix: str) -> Iterator[io.BufferedIOBase]:
    """A temporary file, open, beside `path` that takes its place once the block has succeeded.

    Args:
        path: a stream is handed through as it is.
        suffix: added to a name that has none.

    Raises:
        OSError: nothing was changed under `path`.
    """
    if isinstance(path, io.BufferedIOBase):
        yield path
        return
    path = Path(path)
    path = path if path.suffix else path.with_name(f"{path.name}.{suffix}")
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            yield file
        os.replace(partial, path)
    except OSError as error:
        kept = "; the older file is untouched" if path.exists() else ""
        raise OSError(
            error.errno, f"could not write {path}: {error.strerror or error}{kept}"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
