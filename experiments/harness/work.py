"""One run from start to record: train, then measure as its paper does."""

from __future__ import annotations

import shutil
import traceback
from pathlib import Path
from typing import Any

import torch
import typer
from filelock import FileLock, Timeout

from experiments.harness.cells import Cell
from experiments.harness.records import Record, read_records, select
from safer_gym.agents.training.run import CURVE
from safer_gym.conformance.cli.progress import Reporter
from safer_gym.conformance.cli.trainings import train_policy
from safer_gym.conformance.files import write_atomically, write_json

LOCK, FAILURE = "lock", "failure.txt"
BUSY = "another invocation is at it"
STOPPED = "stopped; the same command goes on from here"
SETTINGS = ("asked_timesteps", "kwargs", "n_envs", "average")
"""What has to be the same for a record to be that of a run, beside task, method and seed."""
PATIENCE = 5.0
"""Seconds in which a process whose parent was killed lets go of its run."""


def work(cell: Cell, bar: Reporter) -> str:
    """Do what is not done yet; safe to repeat, and to call from several processes at once.

    Returns:
        "" when the record is there, otherwise why it is not, in a line; the traceback of an error
        is in the run's folder.
    """
    torch.set_num_threads(1)
    cell.folder.mkdir(parents=True, exist_ok=True)
    failure = cell.folder / FAILURE
    try:
        with FileLock(cell.folder / LOCK, timeout=PATIENCE):
            failure.unlink(missing_ok=True)
            _complete(cell, bar)
    except Timeout:
        return BUSY
    except typer.Exit:
        return STOPPED
    except Exception as error:
        write_atomically(failure, traceback.format_exc())
        return f"{type(error).__name__}: {error}"
    return ""


def finished(cell: Cell) -> Record | None:
    """The record of a run, whatever its file is called; None: there is none yet, or its policy is
    here and fewer episodes or attacks were run than are asked for.

    Raises:
        ValueError: it was made with other settings.
    """
    known = select(read_records(cell.records), cell.task, cell.method)
    record = next((r for r in known if r.seed == cell.seed), None)
    if record is None:
        return None
    run = cell.run()
    planned = {**run.settings(), "asked_timesteps": run.timesteps, "average": run.average}
    made = {"asked_timesteps": record.data["timesteps"], "average": 0, **record.data}
    changed = [key for key in SETTINGS if made.get(key) != planned[key]]
    if changed:
        raise ValueError(
            f"{record.path} is of a run with other {' and '.join(changed)}; delete it, or pass "
            "another --records"
        )
    is_here = (cell.folder / "model.json").exists()
    return None if is_here and not cell.protocol.is_measured(record, cell) else record


def _complete(cell: Cell, bar: Reporter) -> None:
    if finished(cell) is not None:
        return
    run = cell.run()
    train_policy(run, bar, choose=cell.protocol.choose)
    data = cell.protocol.measure(cell, bar)
    data["method"] = cell.method
    data["asked_timesteps"] = run.timesteps
    data["stands_for"] = list(cell.stands_for)
    keep(cell.folder, data, cell.record)


def keep(folder: Path, data: dict[str, Any], record: Path) -> None:
    """Write a record and its curve; the record last, since it says that the run is done."""
    record.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / CURVE, record.with_suffix(".csv"))
    write_json(record, data)
