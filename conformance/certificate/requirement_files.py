"""Several requirements in one TOML file.

[[requirement]]
text = "P(cost > 5) <= 0.05 at eps = 0.05 with 95 % confidence under attacks"

[[requirement]]
limit = 5
rate = 0.1
eps = 0.002
scope = "every"
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from safer_gym.conformance.certificate.requirement import Requirement
from safer_gym.conformance.untrusted import read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_BYTES = 2**20


def read_requirements(path: str | Path) -> tuple[Requirement, ...]:
    """The requirements of a TOML file, at least one.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not TOML, no `[[requirement]]`, or a bad key or value, named with its place.
    """
    path = Path(path)
    try:
        data = tomllib.loads(read_text(path, MOST_BYTES))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not a TOML file: {error}") from error
    tables = data.pop("requirement", None)
    if data:
        raise ValueError(f"{path}: unknown key {next(iter(data))!r}; known: requirement")
    if isinstance(tables, dict):
        tables = [tables]
    if not tables or not isinstance(tables, list):
        raise ValueError(f"{path} holds no requirement; write one as [[requirement]]")
    return tuple(
        Requirement.from_table(table, f"{path}: requirement {i}")
        for i, table in enumerate(tables, start=1)
    )


def as_requirements(
    given: Requirement | str | Path | Sequence[Requirement | str] | None,
) -> tuple[Requirement, ...]:
    """Requirements from objects, sentences, a TOML file's path, or a sequence of the first two."""
    if given is None:
        return ()
    if not isinstance(given, (Requirement, str, Path)):
        return tuple(one for item in given for one in as_requirements(item))
    if isinstance(given, Requirement):
        return (given,)
    if isinstance(given, Path) or given.strip().lower().endswith(".toml"):
        return read_requirements(given)
    return (Requirement.parse(given),)
