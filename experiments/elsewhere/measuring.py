"""How a policy is measured: episodes without an attack, and under MC and MR."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from experiments.elsewhere.environments import PLACES
from experiments.harness.cells import Cell, Protocol
from experiments.harness.records import Record
from safer_gym.agents.training.run import keep_last
from safer_gym.conformance.cli.measure import Plan, measure
from safer_gym.conformance.cli.models import find_model
from safer_gym.conformance.cli.progress import Reporter
from safer_gym.conformance.evaluate.cache import OutcomesCache
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.wrappers.tasks import Task

ATTACKS = {"natural": "no attack", "mc": "MC", "mr": "MR"}
SEED = 1000
"""Of the first episode that counts."""


def environment(cell: Cell) -> Task:
    """Where a run trains."""
    return PLACES[cell.task].task


def measure_run(cell: Cell, bar: Reporter) -> dict[str, Any]:
    """The record of a run: its training, and what each attack does to its last policy."""
    record: dict[str, Any] = json.loads((cell.folder / "model.json").read_text())
    task = environment(cell)
    plan = Plan(tuple(ATTACKS), (task.eps,), "linf", cell.episodes, SEED)
    file = find_model(str(cell.folder / "model.zip"), "", task)
    outcomes = measure(file, task, plan, bar, OutcomesCache(cell.folder / "evaluations"))
    # An attack with fitted critics has a longer label; the plan's order tells which it is.
    named = zip(ATTACKS, outcomes, strict=True)
    return record | {"evaluation": {name: kept(outcome) for name, outcome in named}}


def kept(outcome: Outcomes) -> dict[str, Any]:
    """What a record keeps of an attack."""
    numbers = {"returns": outcome.returns, "costs": outcome.costs, "lengths": outcome.lengths}
    rounded = {name: np.round(value, 3).tolist() for name, value in numbers.items()}
    return {"eps": outcome.eps, "seed": SEED, **rounded}


def is_measured(record: Record, cell: Cell) -> bool:
    """Whether a record has enough episodes."""
    return all(len(part["costs"]) >= cell.episodes for part in record.data["evaluation"].values())


ELSEWHERE_PROTOCOL = Protocol("elsewhere", measure_run, is_measured, keep_last, environment)
"""Kept is the last policy, chosen by nothing."""
