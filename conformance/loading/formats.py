"""The kinds of file that a policy can arrive in: told by what is inside; data or code.

A format is one registration:

    register_format(Format("mine", "My format", False, "why it is data", is_mine, load_mine))
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from safer_gym.conformance.loading.normaliser import as_normaliser


class Opened(NamedTuple):
    """What a file held."""

    policy: Any
    """For `as_victim`: a model, a module, an object with `predict`, or a callable."""
    ran_code: bool
    """Whether code that the file carries may have run."""


@dataclass(frozen=True)
class Format:
    """One way in which a policy can arrive."""

    name: str
    title: str
    needs_trust: bool
    """Whether opening always runs what the file carries, so that it is refused without trust."""
    why: str
    """What opening it does, in a sentence."""
    matches: Callable[[Path], bool]
    """Whether a file is of this format. Must run nothing that the file carries."""
    load: Callable[[Path, bool], Opened]
    """From the file, and whether it is trusted, to the policy."""
    no_policy: Callable[[Path], str | None] = lambda path: None
    """What a file of this format holds if that is no policy, trusted or not. Must run nothing."""
    normaliser: Callable[[Path, Any], Any] = lambda path, given: as_normaliser(given)
    """From a file, and what was given as `vec_normalize`, to what its observations go through."""
    algorithm: Callable[[Path], str | None] = lambda path: None
    """Which algorithm wrote a file, as "module:Class"; None where none is told."""


FORMATS: dict[str, Format] = {}
"""By name, in the order in which they are tried."""


def register_format(form: Format) -> Format:
    """Let every door open files of a format.

    Raises:
        ValueError: another format has that name.
    """
    if FORMATS.get(form.name, form) != form:
        raise ValueError(f"a format named {form.name!r} exists already")
    FORMATS[form.name] = form
    return form


def format_of(path: Path) -> Format:
    """The format of a file, by its content; the name decides only for ONNX, which has no mark.

    Raises:
        ValueError: none of those known, or weights without a network.
    """
    for form in FORMATS.values():
        if form.matches(path):
            return form
    if zipfile.is_zipfile(path):
        raise ValueError(f"{path} is a zip, but no policy; the formats are: {titles()}")
    if head(path, 4) == b"PK\x03\x04":
        raise ValueError(f"{path} is a zip that was cut short")
    raise ValueError(f"{path} is no policy that can be loaded; the formats are: {titles()}")


def titles() -> str:
    """All formats, for messages."""
    return ", ".join((*(form.title for form in FORMATS.values()), "module:function"))


def inside(path: Path) -> frozenset[str]:
    """The names in a zip, without the folder that torch puts around them; empty for other files."""
    if not zipfile.is_zipfile(path):
        return frozenset()
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return frozenset((*names, *(name.partition("/")[2] for name in names)))


def head(path: Path, size: int) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as file:
        return file.read(size)
