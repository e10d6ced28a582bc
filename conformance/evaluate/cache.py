"""Finished evaluations, kept as JSON under a key of all their inputs, so that a rerun resumes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.files import write_json


class OutcomesCache:
    """A folder of finished evaluations; None keeps nothing.

    Args:
        folder: Where the files go; made when the first one is stored.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def load(self, inputs: dict[str, Any]) -> Outcomes | None:
        """What was measured with exactly these inputs, or None."""
        path = self._path(inputs)
        if path is None or not path.exists():
            return None
        return Outcomes.from_json(json.loads(path.read_text())["outcomes"])

    def store(self, inputs: dict[str, Any], outcomes: Outcomes) -> None:
        """Keep `outcomes` under `inputs`."""
        path = self._path(inputs)
        if path is not None:
            write_json(path, {"inputs": inputs, "outcomes": outcomes.to_json()})

    def _path(self, inputs: dict[str, Any]) -> Path | None:
        if self.folder is None:
            return None
        text = json.dumps(inputs, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:20]}.json"
