"""How the SAFER paper's policies are measured: its attacks, then certify's battery."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from experiments.harness.cells import Cell, Protocol
from experiments.harness.records import STRONGEST, Record
from safer_gym.agents.training.run import LAST
from safer_gym.conformance.certify.strongest import strongest_attack
from safer_gym.conformance.cli.measure import Plan, measure
from safer_gym.conformance.cli.models import find_model, load_model
from safer_gym.conformance.cli.progress import Reporter
from safer_gym.conformance.evaluate.cache import OutcomesCache
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.evaluate.store import Store
from safer_gym.wrappers.tasks import Task, find_task

ATTACKS = ("natural", "mc", "mr")
SEED = 1000
"""Of the first episode that counts."""


def is_measured(record: Record, cell: Cell) -> bool:
    """Whether a record holds as many episodes as are asked for, and a battery if one is."""
    evaluation = record.data["evaluation"]
    enough = all(len(part["costs"]) >= cell.episodes for part in evaluation.values())
    return enough and (cell.battery == "none" or STRONGEST in evaluation)


def measure_run(cell: Cell, bar: Reporter) -> dict[str, Any]:
    """The record of a run that is trained."""
    return measured(cell.folder, cell.episodes, cell.battery, bar)


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


SAFER_PROTOCOL = Protocol("safer", measure_run, is_measured)
