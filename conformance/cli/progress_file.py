"""The progress of a run, told through a file in its folder: to any process that can read it."""

from __future__ import annotations

import json
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from safer_gym.conformance.files import write_json

FILE, LOG = "progress.json", "log.txt"
EVERY_SECONDS = 1.0
STAGES = {
    "training": (0.0, 0.7),
    "choosing": (0.7, 0.75),
    "attacking": (0.75, 0.85),
    "battery": (0.85, 1.0),
}
"""Which part of a run each kind of work is, about."""


class Told(NamedTuple):
    """What a run last said of itself."""

    share: float
    """Of the whole run."""
    what: str


class ProgressFile:
    """Writes what a run says of itself into its folder, at most once a second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._written = -EVERY_SECONDS

    def update(self, name: str, share: float, note: str = "") -> None:
        """Say that `share` of the work called `name` is done."""
        if monotonic() - self._written < EVERY_SECONDS:
            return
        self._written = monotonic()
        low, high = STAGES.get(name.split()[0], (0.0, 0.0))
        told = Told(low + (high - low) * share, f"{name} {share:.0%} {note}".strip())
        write_json(self.folder / FILE, told._asdict())

    def say(self, text: str) -> None:
        """Tell a line of its own: it goes into the run's log."""
        with (self.folder / LOG).open("a") as log:
            log.write(text + "\n")


def read_progress(folder: Path) -> Told:
    """What a run last told; nothing where it has told nothing."""
    path = folder / FILE
    return Told(**json.loads(path.read_text())) if path.exists() else Told(0.0, "starting")
