"""How the DRAC paper's policies are measured: each disturbed by every adversary, all of its box.

natural                nothing is disturbed
safety, performance    DRAC's own two adversaries, of the DRAC run with the same world and seed
                       (or of the lowest seed that there is); every policy meets the same
safety response,       adversaries learned against this very policy
performance response
bang-bang              random corners at each step, one held for an episode, each end
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.drac.learned_set import learned_set
from experiments.drac.methods import SHIELDED
from experiments.harness.cells import Cell, Protocol
from experiments.harness.records import Record, file_name
from safer_gym.agents.training.run import keep_last
from safer_gym.attacks import make_attack
from safer_gym.conformance.cli.measure import whole_box
from safer_gym.conformance.cli.models import find_model, load_model
from safer_gym.conformance.cli.progress import Reporter
from safer_gym.conformance.evaluate.cache import OutcomesCache
from safer_gym.conformance.evaluate.evaluation import evaluate
from safer_gym.conformance.evaluate.learned_attacks import learn_attack, own_adversary
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.files import digest
from safer_gym.types import Attack
from safer_gym.wrappers.policies.view import view_of
from safer_gym.wrappers.tasks import Task, find_task

SEED = 1000
"""Of the first episode that counts."""
OWN = {"safety": "own_safety_adversary", "performance": "own_performance_adversary"}
RESPONSES = {
    "safety response": "safety_adversary",
    "performance response": "performance_adversary",
}
BANG_BANG = ("bang_bang", "bang_bang_held", "bang_bang_low", "bang_bang_high")
LEARNING: dict[str, Any] = {"timesteps": 16_000, "n_envs": 8, "n_steps": 128, "learning_rate": 1e-3}
"""Of the adversaries that are best responses."""
PLANE = {"double-integrator": (0, 1), "cart-pole": (0, 2), "racing-car": (0, 2), "walker2d": (0, 8)}
"""Which entries of an observation a record's trajectories keep."""
TRACED = ("natural", "safety response", "bang_bang_held")
TRACES, POINTS = 3, 100
"""Trajectories of each, and points of each at most."""

MakeAttack = Callable[[], Attack]


def drac_folder(cell: Cell) -> Path | None:
    """The run whose adversaries count; None: there is none yet."""
    seeds = [cell.seed, *range(10)]
    folders = (cell.work / file_name(cell.task, "DRAC", seed) for seed in seeds)
    return next((folder for folder in folders if (folder / "model.json").exists()), None)


def attacks_on(cell: Cell, policy: Any, task: Task, eps: float) -> Iterator[tuple[str, MakeAttack]]:
    """What a policy meets: names, and how each attack is made."""
    yield "natural", partial(make_attack, "null")
    for name in BANG_BANG:
        yield name, partial(make_attack, name)
    against: dict[str, Any] = {"eps": eps, "norm": "linf", "seed": 0, "channel": "disturbance"}
    for name, goal in RESPONSES.items():
        yield name, partial(learn_attack, goal, policy, task.make, **against, **LEARNING)
    folder = drac_folder(cell)
    if folder is not None:
        drac = load_model(find_model(str(folder / "model.zip"), "drac", task))
        for name, own in OWN.items():
            yield name, partial(own_adversary, drac, task.make, own)


def measure_run(cell: Cell, bar: Reporter) -> dict[str, Any]:
    """The record of a run: its training, what every adversary does to it, and its learned set."""
    record: dict[str, Any] = json.loads((cell.folder / "model.json").read_text())
    task = find_task(cell.task)
    file = find_model(str(cell.folder / "model.zip"), "", task)
    model = load_model(file)
    record["evaluation"] = _evaluated(cell, model, task, "", bar)
    if cell.method == "DRAC":
        shielded: Any = load_model(file)
        view_of(shielded).inner.shield = True
        record["evaluation_shield"] = _evaluated(cell, shielded, task, SHIELDED, bar)
    found = learned_set(view_of(model).inner, cell.task)
    return record if found is None else record | {"set": found}


def _evaluated(cell: Cell, model: Any, task: Task, variant: str, bar: Reporter) -> dict[str, Any]:
    eps = whole_box(task, "disturbance")
    cache = OutcomesCache(cell.folder / "evaluations")
    made = list(attacks_on(cell, model, task, eps))
    found = {}
    for number, (name, make) in enumerate(made):
        bar.update("attacking", number / len(made), f"{variant} {name}")
        inputs = _inputs(cell, name, variant, eps)
        outcome = cache.load(inputs)
        if outcome is None:
            outcome = _met(model, task, name, make(), eps, cell.episodes)
            cache.store(inputs, outcome)
        found[name] = kept(outcome, cell.task)
    return found


def _met(model: Any, task: Task, name: str, attack: Attack, eps: float, episodes: int) -> Outcomes:
    return evaluate(
        model,
        task.make,
        {name: attack},
        eps=eps,
        n_episodes=episodes,
        seed=SEED,
        channel="disturbance",
        traces=TRACES if name in TRACED else 0,
    )[0]


def kept(outcome: Outcomes, task: str) -> dict[str, Any]:
    """What a record keeps of an evaluation."""
    place = list(PLANE[task])
    paths = [trace.clean[:: -(-len(trace.clean) // POINTS)][:, place] for trace in outcome.traces]
    numbers = {
        "returns": outcome.returns,
        "costs": outcome.costs,
        "lengths": outcome.lengths,
        "worst_h": outcome.worst_h,
    }
    rounded = {name: np.round(value, 4).tolist() for name, value in numbers.items()}
    traced = {"paths": [np.round(path, 2).tolist() for path in paths]} if paths else {}
    return {"eps": outcome.eps, "seed": SEED, **rounded, **traced}


def is_measured(record: Record, cell: Cell) -> bool:
    """Whether a record has enough episodes, and DRAC's adversaries where there are some."""
    evaluation = record.data["evaluation"]
    enough = all(len(part["costs"]) >= cell.episodes for part in evaluation.values())
    return enough and (drac_folder(cell) is None or set(OWN) <= set(evaluation))


def _inputs(cell: Cell, name: str, variant: str, eps: float) -> dict[str, Any]:
    inputs = {
        "model": digest(cell.folder / "model.zip"),
        "task": cell.task,
        "attack": name,
        "variant": variant,
        "eps": eps,
        "episodes": cell.episodes,
        "seed": SEED,
    }
    if name in RESPONSES:
        inputs["learning"] = LEARNING
    if name in OWN:
        folder = drac_folder(cell)
        inputs["adversary"] = None if folder is None else digest(folder / "model.zip")
    return inputs


DRAC_PROTOCOL = Protocol("drac", measure_run, is_measured, keep_last)
"""Kept is the last policy, chosen by nothing."""
