"""Which extra brings a package, by the installed package's own metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement

PACKAGE = "safer-gym"
DEVELOPERS = ("all", "dev", "docs")
"""Extras that bring no feature of their own."""
MODULES = {"pillow": ("PIL",), "pybullet": ("pybullet", "pybullet_data", "pybullet_utils")}
"""What can be imported of a package, where its name does not say it."""


def declared() -> Iterator[tuple[Requirement, str]]:
    """What is asked for on this machine, each with the extra that brings it; "" is always needed.

    Raises:
        PackageNotFoundError: this package itself is not installed.
    """
    for line in requires(PACKAGE) or ():
        requirement = Requirement(line)
        extra = _extra(requirement)
        marker = requirement.marker
        if extra in DEVELOPERS or requirement.name == PACKAGE:
            continue
        if marker is None or marker.evaluate({"extra": extra}):
            yield requirement, extra


def advice(error: BaseException) -> str:
    """How to install what a module was not found for; "" where no extra brings it, or the error
    says it itself.

    >>> advice(ModuleNotFoundError("No module named 'zuko'", name="zuko"))
    ": pip install 'safer-gym[skills]'"
    """
    told = re.search(r"No module named '([\w.]+)'", str(error))  # by another process, without name
    module = getattr(error, "name", None) or (told[1] if told else "")
    if not isinstance(error, ImportError) or f"{PACKAGE}[" in str(error):
        return ""
    try:
        found = [extra for requirement, extra in declared() if _is_of(module, requirement.name)]
    except PackageNotFoundError:
        return ""
    return f": pip install '{PACKAGE}[{found[0]}]'" if found and found[0] else ""


def _is_of(module: str, package: str) -> bool:
    return module.partition(".")[0] in MODULES.get(package, (package.replace("-", "_"),))


def _extra(requirement: Requirement) -> str:
    """The extra that brings a requirement, by its marker."""
    words = str(requirement.marker or "").replace("'", '"')
    _, _, rest = words.partition('extra == "')
    return rest.partition('"')[0]
