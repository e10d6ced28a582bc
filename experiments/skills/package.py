"""Put a run's last policy and its prior into the package, with the numbers that it reaches.

    python -m experiments.skills.package --out runs/reproduction --task operation-13 --seed 0

`--out` is the folder of `reproduce --paper skills`. The record beside the policy says how to make
it again, and what episodes without and under attack gave.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from stable_baselines3 import SAC

from experiments.harness.cells import Cell
from experiments.harness.packaging import numbers_of, put
from experiments.skills.measuring import PROTOCOL, SEED, latent_bound, prior_of
from experiments.skills.methods import find_method
from experiments.skills.worlds import blurred, load_prior
from safer_gym.agents.skills.network import SkillNetwork
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.evaluate.evaluation import evaluate

METHOD = "SkillSAFER"
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


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, default=Path("runs/reproduction"))
    options.add_argument("--task", required=True)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--episodes", type=int, default=50, help="under each attack")
    asked = options.parse_args()
    one_thread()
    work = (asked.out / "runs").resolve()
    training, records = find_method(METHOD).training, work.parent / "records"
    cell = Cell(
        asked.task, METHOD, training, asked.seed, 0, asked.episodes, "none", work, records, PROTOCOL
    )
    record = json.loads((cell.folder / "model.json").read_text())
    network = network_of(cell)
    record |= {
        "method": METHOD,
        "environment": blurred(asked.task).changes,
        "eta": network.eta,
        "evaluation": attacked(network, asked.task, asked.episodes),
    }
    target = put(f"{asked.task}/skill-safer", network.save, record)
    print(f"{target}: {json.dumps(record['evaluation'])}")


if __name__ == "__main__":
    main()
