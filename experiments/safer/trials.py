"""Trials of SAFER on benign data on Ball-Circle: what each changes, and how it ended.

    python -m experiments.safer.trials slow-end --seed 1

It trains (running it again resumes), attacks the last and the chosen policy, and writes a record to
`experiments/results/trials/`. docs/benign.md is the table of all of them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from stable_baselines3.common.utils import LinearSchedule

from experiments.harness.work import SEED
from safer_gym.agents.training.curve import CurvePoint
from safer_gym.agents.training.recipes import RECIPES
from safer_gym.choices import choose
from safer_gym.conformance.cli.measure import Plan, measure
from safer_gym.conformance.cli.models import find_model
from safer_gym.conformance.cli.progress import Bar, Reporter
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.cli.train import LAST, Run, planned, train_policy
from safer_gym.conformance.evaluate.cache import OutcomesCache
from safer_gym.conformance.files import write_json
from safer_gym.wrappers.tasks import find_task

TASK = "ball-circle"
RECIPE = RECIPES[TASK]["safer-attacked"]
ATTACKS = ("natural", "mc", "mr", "mixture", "mad", "random_search")
EPISODES = 50
"""Of each attack."""
RECORDS = Path("experiments/results/trials")
EPS = 0.05

OFFSETS: dict[str, Any] = {"attacked_share": 0.0, "offset_steps": 50}
SLOW_END = {"learning_rate": LinearSchedule(1e-3, 1e-5, 1.0), "critic_learning_rate": None}
WIDER = {"eps": 1.15 * EPS, "offset_scale": 1.13}
"""The attack of the critic and of the M-step at 1.15 eps, the offsets at 1.3 eps."""
MEAN_OF_TWO = {
    "cost_aggregation": "mean",
    "policy_kwargs": RECIPE["kwargs"]["policy_kwargs"] | {"n_cost_critics": 2},
}
BASE = OFFSETS | SLOW_END | WIDER
TRIALS: dict[str, dict[str, Any]] = {
    "offsets": OFFSETS | {"eps": 1.3 * EPS},
    "slow-end": BASE,
    "history": BASE | {"buffer_size": 400_000},
    "episode": BASE | {"offset_steps": 200},
    "half": BASE | {"offset_share": 0.5},
    "mean-of-two": BASE | MEAN_OF_TWO,
    "weight": BASE | {"adversarial_weight": 1.0},
    "lighter": BASE
    | {"adversarial_weight": 1.0, "max_lam": 5.0, "eps": 1.05 * EPS, "offset_scale": 1.25},
    "margin": BASE | {"eps": 1.3 * EPS, "offset_scale": 1.0},
}
"""By name: constructor arguments in the place of the recipe's."""


def run_of(name: str, seed: int, folder: Path) -> Run:
    """The training of a trial: the recipe of SAFER-attacked with the trial's options."""
    run = planned(find_task(TASK), "safer", folder, seed=seed, recipe="safer-attacked")
    command = f"python -m experiments.safer.trials {name} --seed {seed}"
    return run._replace(kwargs=RECIPE["kwargs"] | TRIALS[name], command=command)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("name")
    options.add_argument("--seed", type=int, default=0)
    arguments = options.parse_args()
    one_thread()
    name, seed = choose("trial", arguments.name, TRIALS), arguments.seed
    run = run_of(name, seed, Path("runs/trials") / f"{name}-{seed}")
    with Bar() as bar:
        curve = train_policy(run, bar)
        write_json(RECORDS / f"{name}-{seed}.json", outcome_of(name, run, curve, bar))


def outcome_of(name: str, run: Run, curve: list[CurvePoint], bar: Reporter) -> dict[str, Any]:
    """The record of a finished trial."""
    made = json.loads(run.model.with_suffix(".json").read_text())
    made |= {"trial": name, "training_cost": curve[-1].total_cost, "seconds": curve[-1].seconds}
    for key, file in (("evaluation", "model.zip"), ("evaluation_last", LAST)):
        made[key] = attacked(run.out / file, bar)
    return made


def attacked(model: Path, bar: Reporter) -> dict[str, dict[str, float]]:
    """Mean reward and cost of a policy under each attack, and the largest cost of an episode."""
    task = find_task(TASK)
    plan = Plan(ATTACKS, (task.eps,), "linf", EPISODES, SEED)
    file = find_model(str(model), "safer", TASK)
    outcomes = measure(file, task, plan, bar, OutcomesCache(model.parent / "evaluations"))
    return {
        o.attack: {
            "reward": round(o.mean_return, 2),
            "cost": round(o.mean_cost, 2),
            "largest_cost": round(float(o.costs.max()), 2),
        }
        for o in outcomes
    }


if __name__ == "__main__":
    main()
