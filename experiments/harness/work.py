"""One run from start to record: train, run the paper's attacks, run the battery."""

from __future__ import annotations

import json
import shutil
import traceback
from pathlib import Path
from typing import Any

import torch
import typer
from filelock import FileLock, Timeout

from experiments.harness.cells import Cell
from experiments.harness.records import STRONGEST, Record, read_records, select
from safer_gym.agents.training.run import CURVE, LAST
from safer_gym.conformance.battery.store import Store
from safer_gym.conformance.certify.strongest import strongest_attack
from safer_gym.conformance.cli.measure import Plan, measure
from safer_gym.conformance.cli.models import find_model, load_model
from safer_gym.conformance.cli.progress import Reporter
from safer_gym.conformance.cli.train import train_policy
from safer_gym.conformance.evaluate.cache import OutcomesCache
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.files import write_atomically, write_json
from safer_gym.wrappers.tasks import Task, find_task

ATTACKS = ("natural", "mc", "mr")
SEED = 1000
"""Of the first episode that counts."""
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
    return None if is_here and not _is_measured(record, cell) else record


def _is_measured(record: Record, cell: Cell) -> bool:
    """Whether a record holds as many episodes as are asked for, and a battery if one is."""
    evaluation = record.data["evaluation"]
    enough = all(len(part["costs"]) >= cell.episodes for part in evaluation.values())
    return enough and (cell.battery == "none" or STRONGEST in evaluation)


def _complete(cell: Cell, bar: Reporter) -> None:
    if finished(cell) is not None:
        return
    run = cell.run()
    train_policy(run, bar)
    data = measured(cell.folder, cell.episodes, cell.battery, bar)
    data["method"] = cell.method
    data["asked_timesteps"] = run.timesteps
    data["stands_for"] = list(cell.stands_for)
    keep(cell.folder, data, cell.record)


def measured(folder: Path, episodes: int, battery: str, bar: Reporter) -> dict[str, Any]:
    """The record of a run that `train_policy` has finished, and what attacks do to it.

    Raises:
        FileNotFoundError: the folder holds no finished run.
    """
    record = json.loads((folder / "model.json").read_text())
    task = find_task(record["task"])
    outcomes = attacked(folder / "model.zip", task, episodes, bar)
    record["evaluation"] = {o.attack: _kept(o) for o in outcomes}
    if record["chosen"] != "last":
        outcomes = attacked(folder / LAST, task, episodes, bar, record["algorithm"])
    record["evaluation_last"] = {o.attack: _kept(o) for o in outcomes}
    if battery != "none":
        record["evaluation"][STRONGEST] = _strongest(folder, task, episodes, battery, bar)
    return record


def attacked(
    model: Path, task: Task, episodes: int, bar: Reporter, algorithm: str = "", seed: int = SEED
) -> list[Outcomes]:
    """A policy without and under the paper's attacks; what is known is not measured again."""
    plan = Plan(ATTACKS, (task.eps,), "linf", episodes, seed)
    file = find_model(str(model), algorithm, task)
    cache = OutcomesCache(model.parent / "evaluations")
    return measure(file._replace(name=f"attacking {model.stem}"), task, plan, bar, cache)


def keep(folder: Path, data: dict[str, Any], record: Path) -> None:
    """Write a record and its curve; the record last, since it says that the run is done."""
    record.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / CURVE, record.with_suffix(".csv"))
    write_json(record, data)


def _strongest(
    folder: Path, task: Task, episodes: int, battery: str, bar: Reporter
) -> dict[str, Any]:
    file = find_model(str(folder / "model.zip"), "", task)
    key = {"policy": file.digests["model"], "task": task.env_id, "eps": task.eps, "seed": SEED}
    found = strongest_attack(
        load_model(file),
        task.make,
        eps=task.eps,
        battery=battery,
        n_episodes=episodes,
        seed=SEED,
        store=Store(folder / "learned", key),
        progress=lambda what, share: bar.update("battery", share, what),
    )
    screened = {label: round(cost, 2) for label, cost in found.screened.items()}
    named = {"attack": found.outcome.attack, "battery": battery, "screened": screened}
    return {**named, **_kept(found.outcome)}


def _kept(outcome: Outcomes) -> dict[str, Any]:
    return {
        "eps": outcome.eps,
        "seed": SEED,
        "returns": [round(float(x), 2) for x in outcome.returns],
        "costs": [round(float(x), 2) for x in outcome.costs],
    }
