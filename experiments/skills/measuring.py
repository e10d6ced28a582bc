"""From a trained run to its record: where it trains, and what its last policy does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from experiments.harness.cells import Cell, Protocol
from experiments.harness.records import Record
from experiments.skills.methods import find_method
from experiments.skills.priors import PriorFiles
from experiments.skills.worlds import blurred, load_prior
from safer_gym.agents.training.run import keep_last
from safer_gym.attacks import make_attack
from safer_gym.conformance.cli.models import find_model, load_model
from safer_gym.conformance.cli.progress import Reporter
from safer_gym.conformance.evaluate.evaluation import evaluate
from safer_gym.wrappers.skills import SkillPolicy
from safer_gym.wrappers.tasks import Task

SEED = 1000
"""Of the first episode that counts."""


def prior_of(cell: Cell) -> Path:
    """The prior of a cell's method and seed."""
    return PriorFiles(cell.work, cell.records).prior(find_method(cell.method).prior, cell.seed)


def latent_bound(cell: Cell) -> float:
    """eta of a cell's method, or that of its prior."""
    method = find_method(cell.method)
    if method.eta is not None:
        return method.eta
    record = PriorFiles(cell.work, cell.records).record(method.prior, cell.seed)
    return float(json.loads(record.read_text())["bound"])


def environment(cell: Cell) -> Task:
    """The task in the latent space of the method's prior, explored by it, or as it is."""
    method = find_method(cell.method)
    args: dict[str, Any] = {"task": cell.task, "prior": str(prior_of(cell))}
    if method.world == "latent":
        args["eta"] = latent_bound(cell)
    return Task(cell.task, f"experiments.skills.worlds:{method.world}", env_args=args)


def deployed(cell: Cell) -> tuple[Any, Task]:
    """The run's last policy and where it acts: one on latent actions in the task itself."""
    method, task = find_method(cell.method), blurred(cell.task)
    model = load_model(find_model(str(cell.folder / "model.zip"), "", task))
    if method.world != "latent":
        return model, environment(cell)
    env = task.make()
    spaces: Any = env.observation_space, env.action_space
    env.close()
    return SkillPolicy(model, load_prior(str(prior_of(cell))), latent_bound(cell), *spaces), task


def measure_run(cell: Cell, bar: Reporter) -> dict[str, Any]:
    """The record of a run: its training, and episodes of its last policy."""
    record: dict[str, Any] = json.loads((cell.folder / "model.json").read_text())
    method = find_method(cell.method)
    bar.update("measuring", 0.0, cell.name)
    record |= {"environment": blurred(cell.task).changes, "prior": method.prior}
    if method.world == "latent":
        record["eta"] = latent_bound(cell)
    policy, task = deployed(cell)
    still = {"natural": make_attack("null")}
    (found,) = evaluate(policy, task.make, still, eps=0.0, n_episodes=cell.episodes, seed=SEED)
    record["evaluation"] = {
        "natural": {
            "seed": SEED,
            "returns": np.round(found.returns, 4).tolist(),
            "costs": np.round(found.costs, 4).tolist(),
            "lengths": found.lengths.tolist(),
        }
    }
    return record


def is_measured(record: Record, cell: Cell) -> bool:
    """Whether a record has enough episodes."""
    return len(record.data["evaluation"]["natural"]["costs"]) >= cell.episodes


PROTOCOL = Protocol("skills", measure_run, is_measured, keep_last, environment)
"""Kept is the last policy, chosen by nothing."""
