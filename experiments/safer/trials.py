"""Trials of SAFER on benign data on Ball-Circle: what each changes, and how it ended.

    python -m experiments.safer.trials slow-end --seed 1

It trains (running it again resumes), attacks the last and the chosen policy, and writes a record to
`experiments/results/trials/`. docs/benign.md is the table of all of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from stable_baselines3.common.utils import LinearSchedule

from experiments.safer.measuring import SEED
from safer_gym.agents import SAFER
from safer_gym.agents.training.averaging import average_actor
from safer_gym.agents.training.checkpoint import latest_checkpoint
from safer_gym.agents.training.claim import POLICIES
from safer_gym.agents.training.curve import read_curve
from safer_gym.agents.training.plan import Run, planned
from safer_gym.agents.training.recipes import RECIPES
from safer_gym.agents.training.snapshots import snapshots
from safer_gym.choices import choose
from safer_gym.conformance import provenance
from safer_gym.conformance.cli.measure import Plan, measure
from safer_gym.conformance.cli.models import find_model
from safer_gym.conformance.cli.progress import Bar, Reporter
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.cli.trainings import train_policy
from safer_gym.conformance.evaluate.cache import OutcomesCache
from safer_gym.conformance.files import write_json
from safer_gym.wrappers.tasks import find_task

TASK = "ball-circle"
RECIPE = RECIPES[TASK]["safer-attacked"]
ATTACKS = ("natural", "mc", "mr", "mixture", "mad", "random_search")
AVERAGED = 5
"""Of how many of its latest kept policies the mean is taken, beside the learner's last one."""
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
    "closer": BASE | {"adversarial_weight": 1.0, "eps": 1.05 * EPS, "offset_scale": 1.24},
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
    """Train a trial, or take it as far as it came, and write its record."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("name")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--episodes", type=int, default=50, help="of each attack")
    options.add_argument("--stopped", action="store_true", help="measure it as far as it came")
    arguments = options.parse_args()
    one_thread()
    name, seed = choose("trial", arguments.name, TRIALS), arguments.seed
    run = run_of(name, seed, Path("runs/trials") / f"{name}-{seed}")
    with Bar() as bar:
        if not arguments.stopped:
            train_policy(run, bar)
        record = {"trial": name, **outcome_of(run, arguments.episodes, bar)}
    write_json(RECORDS / f"{name}-{seed}.json", record)


def outcome_of(run: Run, episodes: int, bar: Reporter) -> dict[str, Any]:
    """What a trial changed, how far it came, what it cost, and what attacks do to its policies."""
    checkpoint = latest_checkpoint(run.out / "checkpoints")
    if checkpoint is None:
        raise FileNotFoundError(f"{run.out} holds no checkpoint of a training")
    model, curve = (
        SAFER.load(checkpoint / "model.zip", device="cpu"),
        read_curve(checkpoint / "curve.csv"),
    )
    newest, mean = run.out / "newest.zip", run.out / "mean.zip"
    model.save(newest)
    average_actor(model, [*snapshots(run.out / POLICIES), newest][-AVERAGED:])
    model.save(mean)
    return {
        "seed": run.seed,
        "kwargs": run.settings()["kwargs"],
        "asked_timesteps": run.timesteps,
        "timesteps": model.num_timesteps,
        "training_cost": curve[-1].total_cost,
        "seconds": curve[-1].seconds,
        **provenance.record(),
        "command": run.command,
        "evaluation_last": attacked(newest, episodes, bar),
        "evaluation_mean": attacked(mean, episodes, bar),
    }


def attacked(model: Path, episodes: int, bar: Reporter) -> dict[str, dict[str, float]]:
    """Mean reward and cost of a policy under each attack, and the largest cost of an episode."""
    task = find_task(TASK)
    plan = Plan(ATTACKS, (task.eps,), "linf", episodes, SEED)
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
