"""Put a run's last policy, or a prior, into the package, with the numbers that it reaches.

    python -m experiments.skills.package --out runs/reproduction --task operation-13 --seed 0
    python -m experiments.skills.package --out runs/reproduction --seed 0

`--out` is the folder of `reproduce --paper skills`. With a task it is the policy, prior and all;
without, the prior of the method by itself. The record beside it says how to make it again, and what
episodes without and under attack gave, or what the prior makes of data that it has not seen.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from stable_baselines3 import SAC

from experiments.harness.cells import Cell
from experiments.harness.packaging import ZOO, numbers_of, put
from experiments.skills.measuring import PROTOCOL, SEED, latent_bound, prior_of
from experiments.skills.methods import find_method
from experiments.skills.priors import PriorFiles
from experiments.skills.worlds import blurred, load_prior
from safer_gym.agents.skills import SkillPrior
from safer_gym.agents.skills.network import SkillNetwork
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.evaluate.evaluation import evaluate

NAMES = {"SkillSAFER": "skill-safer", "PARROT": "parrot"}
"""Of packaged files, by method."""
SUITE = "operation"
"""Where priors lie, which serve all of its tasks."""
ATTACKS = ("natural", "uniform", "mad")


def network_of(cell: Cell) -> SkillNetwork:
    """The run's last policy and its prior as one network."""
    env = blurred(cell.task).make()
    spaces: Any = env.observation_space, env.action_space
    env.close()
    model = SAC.load(cell.folder / "model.zip", device="cpu")
    prior = load_prior(str(prior_of(cell)))
    return SkillNetwork.of(model, prior, latent_bound(cell), *spaces)


def attacked(network: SkillNetwork, task: str, episodes: int) -> dict[str, Any]:
    """What episodes without an attack and under two gave."""
    made = blurred(task)
    outcomes = evaluate(network, made.make, ATTACKS, eps=made.eps, n_episodes=episodes, seed=SEED)
    return {
        found.attack: {
            **numbers_of(found, SEED),
            "success": float((found.returns > -found.lengths).mean()),
        }
        for found in outcomes
    }


def package_policy(cell: Cell, zoo: Path = ZOO) -> Path:
    """Write the last policy of a finished run, and return its file.

    Raises:
        OSError: the run has no model, or a file could not be written.
    """
    record = json.loads((cell.folder / "model.json").read_text())
    network = network_of(cell)
    record |= {
        "method": cell.method,
        "environment": blurred(cell.task).changes,
        "eta": network.eta,
        "evaluation": attacked(network, cell.task, cell.episodes),
    }
    return put(f"{cell.task}/{NAMES[cell.method]}", network.save, record, zoo)


def package_prior(files: PriorFiles, method: str, seed: int, zoo: Path = ZOO) -> Path:
    """Write the prior of a method, and return its file.

    Raises:
        OSError: there is no such prior, or a file could not be written.
    """
    kind = find_method(method).prior
    record = json.loads(files.record(kind, seed).read_text())
    prior = SkillPrior.load(files.prior(kind, seed))
    return put(f"{SUITE}/{NAMES[method]}", prior.save, record, zoo, ".pt")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, default=Path("runs/reproduction"))
    options.add_argument("--task", help="of the run; without one it is the prior by itself")
    options.add_argument("--method", choices=NAMES, default="SkillSAFER")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--episodes", type=int, default=50, help="under each attack")
    options.add_argument("--zoo", type=Path, default=ZOO)
    asked = options.parse_args()
    one_thread()
    work = (asked.out / "runs").resolve()
    records = work.parent / "records"
    if asked.task is None:
        print(package_prior(PriorFiles(work, records), asked.method, asked.seed, asked.zoo))
        return
    cell = Cell(
        asked.task, asked.method, find_method(asked.method).training, asked.seed, 0,
        asked.episodes, "none", work, records, PROTOCOL,
    )  # fmt: skip
    print(package_policy(cell, asked.zoo))


if __name__ == "__main__":
    main()
