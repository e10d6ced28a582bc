"""Put a trained policy into the package, with the numbers that it reaches.

    python benchmarks/package_policy.py runs/ball-circle-safer-0

The folder is one that `safer-gym train` wrote. The record beside the policy says how to make it
again and what 50 episodes without and under attack gave.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch

from safer_gym.conformance.cli.measure import Plan, measure
from safer_gym.conformance.cli.models import find_model
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.tasks import find_task
from safer_gym.conformance.files import write_json

ZOO = Path(__file__).resolve().parent.parent / "safer_gym" / "zoo"
COMMAND = "safer-gym train {task} --algorithm {algorithm} --timesteps {timesteps} --seed {seed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1000, help="of the first episode")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    model = arguments.run / "model.zip"
    record = json.loads(model.with_suffix(".json").read_text())
    record["command"] = COMMAND.format(**record)
    task = find_task(record["task"])
    plan = Plan(("natural", "mc", "mr"), (task.eps,), "linf", arguments.episodes, arguments.seed)
    with Bar() as bar:
        outcomes = measure(find_model(str(model)), task, plan, bar)
    record["evaluation"] = {
        outcome.attack: {
            "eps": outcome.eps,
            "episodes": len(outcome.costs),
            "seed": arguments.seed,
            "reward": round(outcome.mean_return, 2),
            "reward_std": round(float(outcome.returns.std()), 2),
            "cost": round(outcome.mean_cost, 2),
            "cost_std": round(float(outcome.costs.std()), 2),
        }
        for outcome in outcomes
    }
    target = ZOO / record["task"] / f"{record['algorithm']}.zip"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(model, target)
    write_json(target.with_suffix(".json"), record)
    print(f"{target}: {json.dumps(record['evaluation'])}")


if __name__ == "__main__":
    main()
