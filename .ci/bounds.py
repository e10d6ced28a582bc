"""The lower bounds of pyproject.toml as exact versions, one a line, for `make test-oldest`."""

from __future__ import annotations

import sys
from pathlib import Path

from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXTRAS = ("bullet", "contrib", "report", "tensorboard", "onnx", "sign", "skills")


def oldest() -> list[str]:
    """name==lowest of every dependency that this interpreter needs."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in EXTRAS for line in optional[extra])]
    found = []
    for requirement in map(Requirement, lines):
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        lowest = [s.version for s in requirement.specifier if s.operator in (">=", "==")]
        found.append(f"{requirement.name}=={lowest[0]}")
    return found


if __name__ == "__main__":
    print("\n".join(oldest()))
