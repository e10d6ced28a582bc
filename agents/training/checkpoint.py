"""Checkpoints that survive a kill or a full disk, and the callback that writes them.

A checkpoint is a folder of its own: model, replay buffer, random state, learning curve. It is
written under a temporary name; the pointer file `latest` is replaced, in one step, only when it is
complete. So there is always a whole checkpoint to go back to.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from safer_gym.agents.data.signals import as_numbers
from safer_gym.agents.training.curve import CurvePoint, EpisodeSums, read_curve, write_curve
from safer_gym.agents.training.random_state import load_random_state, save_random_state

MODEL, BUFFER, RANDOM, CURVE = "model.zip", "replay_buffer.pkl", "random.pt", "curve.csv"
LATEST = "latest"
NAME = re.compile(r"step_\d{9,}")


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint under `folder`, or None.

    Raises:
        ValueError: the pointer names something else than a checkpoint beside it.
    """
    pointer = folder / LATEST
    if not pointer.exists():
        return None
    name = pointer.read_text(errors="replace").strip()
    if NAME.fullmatch(name) is None:
        raise ValueError(f"{pointer} must name a checkpoint such as step_000010000; got {name!r}")
    checkpoint = folder / name
    return checkpoint if (checkpoint / MODEL).exists() else None


def save_checkpoint(model: BaseAlgorithm, folder: Path, curve: list[CurvePoint]) -> Path:
    """Write a complete checkpoint, point `latest` to it, then drop the older ones.

    Raises:
        OSError: it could not be written; the last good checkpoint is untouched.
    """
    name = f"step_{model.num_timesteps:09d}"
    partial = folder / f".partial_{name}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        model.save(partial / MODEL)
        if getattr(model, "replay_buffer", None) is not None:
            model.save_replay_buffer(partial / BUFFER)  # type: ignore[attr-defined]
        save_random_state(model, partial / RANDOM)
        write_curve(partial / CURVE, curve)
        if _points_to(folder, name):
            shutil.rmtree(partial)
        else:
            shutil.rmtree(folder / name, ignore_errors=True)  # of a run that was given up
            partial.rename(folder / name)
        _replace_text(folder / LATEST, name)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    for old in folder.glob("step_*"):
        if old.name != name:
            shutil.rmtree(old, ignore_errors=True)
    return folder / name


def load_checkpoint(
    algorithm: type[BaseAlgorithm], checkpoint: Path, env: Any, **kwargs: Any
) -> tuple[BaseAlgorithm, list[CurvePoint]]:
    """The model, its replay buffer and all random generators in place, and the curve so far.

    The episodes that were running when the checkpoint was written end there: their last stored
    steps are marked as cut by time, so that no n-step return reaches into the next episode.
    """
    model = algorithm.load(checkpoint / MODEL, env=env, **kwargs)
    if (checkpoint / BUFFER).exists():
        model.load_replay_buffer(checkpoint / BUFFER)  # type: ignore[attr-defined]
        buffer = model.replay_buffer  # type: ignore[attr-defined]
        if buffer.handle_timeout_termination and buffer.size():
            newest = buffer.pos - 1
            buffer.timeouts[newest] = np.maximum(
                buffer.timeouts[newest], 1.0 - buffer.dones[newest]
            )
    if model.seed is not None and model.env is not None:
        model.env.seed(model.seed + model.num_timesteps)  # not the first episodes once more
    if (checkpoint / RANDOM).exists():
        load_random_state(model, checkpoint / RANDOM)
    return model, read_curve(checkpoint / CURVE)


def _points_to(folder: Path, name: str) -> bool:
    pointer = folder / LATEST
    return (folder / name).exists() and pointer.exists() and pointer.read_text().strip() == name


def _replace_text(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    os.replace(partial, path)


class CheckpointCallback(BaseCallback):
    """Saves model, replay buffer and learning curve every `every_seconds` and at the end.

    A save that fails, as on a full disk, is reported and training goes on with the last good
    checkpoint kept; only the save at the end raises.

    Args:
        folder: Where the checkpoints go.
        every_seconds: Wall time between two of them.
        curve: Rows of earlier sittings.
        rows: Rows of the curve in a whole run.
        on_progress: Called at every step with the steps done.
        stop: Asked at every step; True ends training, after a last checkpoint.
        report: Called with the message of a save that failed.
    """

    def __init__(
        self,
        folder: Path,
        every_seconds: float = 30.0,
        curve: list[CurvePoint] | None = None,
        rows: int = 100,
        on_progress: Callable[[int], None] | None = None,
        stop: Callable[[], bool] | None = None,
        report: Callable[[str], None] = print,
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.every_seconds = every_seconds
        self.curve = list(curve or [])
        self.rows = rows
        self.on_progress = on_progress
        self.stop = stop
        self.report = report
        self.sums = EpisodeSums(total_cost=self.curve[-1].total_cost if self.curve else 0.0)

    def _on_training_start(self) -> None:
        before = self.curve[-1].seconds if self.curve else 0.0
        self._started = perf_counter() - before
        self._saved = perf_counter()
        self._next_row = self.num_timesteps

    def _on_step(self) -> bool:
        infos = self.locals["infos"]
        costs = (float(as_numbers(info.get("cost", 0.0), "cost")) for info in infos)
        self.sums.add(self.locals["rewards"], costs, self.locals["dones"])
        if self.on_progress is not None:
            self.on_progress(self.num_timesteps)
        return not (self.stop is not None and self.stop())

    def _on_rollout_start(self) -> None:
        # Between rollouts every transition is stored and every update is done.
        if self.sums.finished and self.num_timesteps >= self._next_row:
            self._add_row()
            self._next_row = self.num_timesteps + self.locals["total_timesteps"] // self.rows
        if perf_counter() - self._saved >= self.every_seconds:
            self._save_or_say()

    def _on_training_end(self) -> None:
        if self.sums.finished:
            self._add_row()
        save_checkpoint(self.model, self.folder, self.curve)

    def _add_row(self) -> None:
        if self.curve and self.curve[-1].timesteps == self.num_timesteps:
            self.curve.pop()
        self.curve.append(self.sums.point(self.num_timesteps, perf_counter() - self._started))

    def _save_or_say(self) -> None:
        self._saved = perf_counter()
        if self.sums.finished:
            self._add_row()  # so that time and cost go on from here after a kill
        try:
            save_checkpoint(self.model, self.folder, self.curve)
        except OSError as error:
            kept = latest_checkpoint(self.folder)
            where = f"the last good checkpoint is {kept}" if kept else "there is no checkpoint yet"
            self.report(f"could not save a checkpoint ({error}); training goes on, {where}")
