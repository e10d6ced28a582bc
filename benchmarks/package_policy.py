"""Put a trained policy into the package, with the numbers that it reaches.

    python -m benchmarks.package_policy runs/ball-circle-safer-0

The folder is one that `safer-gym train` wrote. The record beside the policy says how to make it
again and what 50 episodes without and under attack gave.
"""

from __future__ import annotations

import argparse
import json
import shutil
from functools import partial
from pathlib import Path

from experiments.harness.packaging import numbers_of, put
from experiments.safer.measuring import SEED, attacked
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.wrappers.tasks import find_task


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
    record["evaluation"] = {o.attack: numbers_of(o, arguments.seed) for o in outcomes}
    name = f"{record['task']}/{record['algorithm']}"
    target = put(name, partial(shutil.copyfile, arguments.run / "model.zip"), record)
    print(f"{target}: {json.dumps(record['evaluation'])}")


if __name__ == "__main__":
    main()
