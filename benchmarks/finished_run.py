"""A run that `safer-gym train` has finished, met with the paper's attacks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from safer_gym.conformance.cli.measure import Plan, measure
from safer_gym.conformance.cli.models import find_model
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.tasks import find_task
from safer_gym.conformance.outcomes import Outcomes

ATTACKS = ("natural", "mc", "mr")
CHOSEN, LAST = "model.zip", "last.zip"
COMMAND = "safer-gym train {task} --algorithm {algorithm} --timesteps {timesteps} --seed {seed}"


def parser(description: str) -> argparse.ArgumentParser:
    """The options that all readers of finished runs share."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--episodes", type=int, default=50, help="under each attack")
    options.add_argument("--seed", type=int, default=1000, help="of the first episode")
    return options


def meet(
    run: Path, episodes: int, seed: int, policy: str = CHOSEN
) -> tuple[dict[str, Any], list[Outcomes]]:
    """The run's record, with the command that makes it again, and the outcome of each attack.

    Args:
        policy: the chosen policy's file, or that of the last one.

    Raises:
        FileNotFoundError: the folder holds no finished run.
    """
    torch.set_num_threads(1)
    record = json.loads((run / CHOSEN).with_suffix(".json").read_text())
    record["command"] = COMMAND.format(**record)
    task = find_task(record["task"])
    plan = Plan(ATTACKS, (task.eps,), "linf", episodes, seed)
    with Bar() as bar:
        file = find_model(str(run / policy), record["algorithm"], task.name)
        return record, measure(file, task, plan, bar)
