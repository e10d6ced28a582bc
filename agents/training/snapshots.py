"""Policies kept on the way, so that the best of them can be chosen when training is over."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from stable_baselines3.common.callbacks import BaseCallback


def snapshots(folder: Path) -> list[Path]:
    """The complete snapshots in `folder`, oldest first."""
    return sorted(folder.glob("step_*.zip"))


class SnapshotCallback(BaseCallback):
    """Saves the model, without its replay buffer, when training passes each of `steps`.

    A snapshot that cannot be written, as on a full disk, is left out: training goes on.

    Args:
        folder: Where `step_000120000.zip` and the others go.
        steps: Environment steps at which to save, each once, between two rounds of collection.
    """

    def __init__(self, folder: Path, steps: Sequence[int]) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.steps = sorted(steps)

    def _on_training_start(self) -> None:
        self._due = [step for step in self.steps if step > self.num_timesteps]

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        passed = [step for step in self._due if step <= self.num_timesteps]
        if not passed:
            return
        self._due = self._due[len(passed) :]
        partial = self.folder / ".partial.zip"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.model.save(partial)
            os.replace(partial, self.folder / f"step_{self.num_timesteps:09d}.zip")
        except OSError:
            partial.unlink(missing_ok=True)
