"""`module:attribute`: the user's own code, by name."""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

NAMED = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<attribute>[A-Za-z_][\w.]*)(?P<call>\(\))?")


def is_named(source: str) -> bool:
    """Whether `source` reads as module:attribute."""
    return NAMED.fullmatch(source) is not None


def load_named(source: str) -> Any:
    """Import what "module:attribute" names; "module:function()" calls it without arguments.

    The current folder is searched too, as `python -m` does.

    Raises:
        ValueError: not of that form, or the module has no such attribute.
        ModuleNotFoundError: there is no such module.
    """
    match = NAMED.fullmatch(source)
    if match is None:
        raise ValueError(f"expected module:attribute, got {source!r}")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    found = import_module(match["module"])
    for part in match["attribute"].split("."):
        if not hasattr(found, part):
            raise ValueError(f"{match['module']} has no attribute {match['attribute']!r}")
        found = getattr(found, part)
    return found() if match["call"] and callable(found) else found


def digest_of_module(source: str) -> str:
    """SHA-256 of the file that holds the module: what else it imports is not covered."""
    module = import_module(source.partition(":")[0])
    file = inspect.getsourcefile(module)
    content = Path(file).read_bytes() if file else source.encode()
    return hashlib.sha256(content).hexdigest()
