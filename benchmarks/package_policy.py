"""Put a trained policy into the package, with the numbers that it reaches.

    python -m benchmarks.package_policy runs/ball-circle-safer-0

The folder is one that `safer-gym train` wrote. The record beside the policy says how to make it
again and what 50 episodes without and under attack gave.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from experiments.safer.measuring import SEED, attacked
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.files import write_json
from safer_gym.wrappers.tasks import find_task

ZOO = Path(__file__).resolve().parent.parent / "safer_gym" / "zoo"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--episodes", type=int, default=50, help="under each attack")
    options.add_argument("--seed", type=int, default=SEED, help="of the first episode")
    options.add_argument("run", type=Path)
    arguments = options.parse_args()
    one_thread()
    record = json.loads((arguments.run / "model.json").read_text())
    with Bar() as bar:
        model, task = arguments.run / "model.zip", find_task(record["task"])
        outcomes = attacked(model, task, arguments.episodes, bar, seed=arguments.seed)
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
    shutil.copyfile(arguments.run / "model.zip", target)
    write_json(target.with_suffix(".json"), record)
    print(f"{target}: {json.dumps(record['evaluation'])}")


if __name__ == "__main__":
    main()
