"""The code that this user has named as an environment of a training, from this folder.

The record beside a model is untrusted input, and an environment is code: what a record names is
followed only where the user has named the same code before. Like a browser's list of allowed
sites, the list is the user's own and no part of any folder that can be sent to somebody.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safer_gym.wrappers.tasks import Task


def remember(task: Task) -> None:
    """Note that the user named this environment; where that cannot be written, nothing is noted."""
    path = _entry(task.name, task.changes)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def was_named(name: str, changes: Mapping[str, Any]) -> bool:
    """Whether `remember` was told of it, in this folder."""
    return _entry(name, changes).is_file()


def _entry(name: str, changes: Mapping[str, Any]) -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    text = json.dumps([str(Path.cwd()), name, changes], sort_keys=True, default=repr)
    return Path(state) / "safer-gym" / "named" / hashlib.sha256(text.encode()).hexdigest()
