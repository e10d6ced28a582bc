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
        ImportError: there is no such module, or it cannot be imported.
    """
    match = NAMED.fullmatch(source)
    if match is None:
        raise ValueError(f"expected module:attribute, got {source!r}")
    found = import_own(match["module"])
    for part in match["attribute"].split("."):
        if not hasattr(found, part):
            raise ValueError(f"{match['module']} has no attribute {match['attribute']!r}")
        found = getattr(found, part)
    return found() if match["call"] and callable(found) else found


def import_own(module: str) -> Any:
    """Import a module of the user's, from the current folder too.

    Raises:
        ImportError: there is no such module, or it fails while it is imported.
    """
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # another module, which this one imports
        raise ModuleNotFoundError(
            f"there is no module {module!r} in {Path.cwd()} or among the installed packages",
            name=module,
        ) from error
    except ImportError:
        raise
    except Exception as error:
        raise ImportError(
            f"module {module!r} fails while it is imported: {type(error).__name__}: {error}"
        ) from error


def digest_of_module(source: str) -> str:
    """SHA-256 of the file that holds the module: what else it imports is not covered."""
    module = import_own(source.partition(":")[0])
    file = inspect.getsourcefile(module)
    content = Path(file).read_bytes() if file else source.encode()
    return hashlib.sha256(content).hexdigest()
