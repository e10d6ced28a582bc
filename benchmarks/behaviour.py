"""What the package does, as numbers and digests that must not change when code moves.

python -m benchmarks.behaviour --out before.json       # record
python -m benchmarks.behaviour --against before.json   # run again and compare; exit code 1 if not

A short seeded training of every method and of the options that no method uses, as the SHA-256 of
all weights; `evaluate` of packaged policies under every attack; two certificates; the JSON of the
commands. A few minutes on one core. The numbers hold for one machine and one version of torch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.logger import Logger
from typer.testing import CliRunner

import safer_gym.wrappers  # noqa: F401  (registers the tasks)
from benchmarks.short_trainings import TRAININGS, Training
from safer_gym.attacks import ATTACKS, make_attack, traits_of
from safer_gym.conformance.certify import certify
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.loading import load_policy
from safer_gym.wrappers.tasks import TASKS

TIMES = (
    "seconds",
    "created",
    "date",
    "commit",
    "version",
    "versions",
    "command",
    "machine",
    "content_hash",
)
"""Keys whose values tell of a run, not of what it found; a hash covers them too."""
POLICIES = (
    "ball-circle/safer-attacked",
    "car-circle/safer-attacked",
    "drone-run/safer-attacked",
    "ant-run/safer-attacked",
)
SEEN = (None, "observation")
"""What an attack on observations says of its channel."""
CERTIFICATES: dict[str, dict[str, Any]] = {
    "ball-circle/safer-attacked": {"eps": (0.001, 0.05), "modes": ("deterministic", "stochastic")},
    "drone-run/safer-attacked": {"eps": (0.001, 0.025), "action_noise": 0.3},
}
COMMANDS = {
    "tasks": ["tasks", "--json"],
    "evaluate": ["evaluate", "ball-circle/safer-attacked", "--episodes", "2", "--json"],
    "attack": ["attack", "drone-run/cvpo", "--episodes", "2", "--norm", "l2", "--json"],
    "train cvpo": ["train", "ball-circle", "--algorithm", "cvpo", "--timesteps", "4000", "--json"],
    "train ppol": ["train", "drone-run", "--algorithm", "ppol", "--timesteps", "4000", "--json"],
}


def main() -> None:
    """Record, or compare with a record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.behaviour", description=__doc__)
    parser.add_argument("--out", type=Path, help="write the record to this file")
    parser.add_argument("--against", type=Path, help="compare with this file")
    parser.add_argument("--only", choices=list(PARTS), action="append", help="these parts alone")
    options = parser.parse_args()
    torch.set_num_threads(1)
    known = {} if options.against is None else json.loads(options.against.read_text())
    found: dict[str, Any] = {}
    differences: list[str] = []
    for name in options.only or PARTS:
        found[name] = json.loads(json.dumps(PARTS[name]()))
        if options.out is not None:
            options.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
        if known:
            new = list(differing(known[name], found[name], f"/{name}"))
            print("\n".join(new) or f"{name}: no difference", flush=True)
            differences += new
    sys.exit(bool(differences))


def differing(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """A line for each leaf that is not equal."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from differing(before.get(key), after.get(key), f"{path}/{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, pair in enumerate(zip(before, after, strict=True)):
            yield from differing(*pair, f"{path}/{index}")
    elif before != after:
        yield f"{path}: {before!r} -> {after!r}"


def trainings() -> dict[str, str]:
    """Digest of all weights after each training."""
    found = {}
    for name, training in TRAININGS.items():
        print(name, flush=True)
        found[name] = trained(training)
    return found


def trained(training: Training) -> str:
    """The SHA-256 of an agent's weights, targets and critics, by name."""
    agent = training.make()
    agent.set_logger(Logger(None, []))
    agent.learn(training.steps, log_interval=None)
    agent.env.close()
    digest = hashlib.sha256()
    for name, tensor in sorted(agent.policy.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
    return digest.hexdigest()


def evaluations() -> dict[str, Any]:
    """Costs and returns of two episodes under each attack."""
    found = {}
    for name in POLICIES:
        outcomes = evaluate(
            load_policy(name).policy,
            _maker(name),
            [name for name in ATTACKS if traits_of(make_attack(name)).channel in SEEN],
            eps=0.05,
            n_episodes=2,
            max_steps=40,
        )
        found[name] = {o.attack: without_times(o.to_json()) for o in outcomes}
    return found


def certificates() -> dict[str, Any]:
    """All numbers of two certificates."""
    return {name: without_times(_certified(name, **own)) for name, own in CERTIFICATES.items()}


def _certified(name: str, **options: Any) -> Any:
    certificate = certify(
        load_policy(name).policy,
        _maker(name),
        limit=5.0,
        battery="quick",
        episodes=10,
        benign_episodes=60,
        source=name,
        **options,
    )
    return certificate.to_json()


def commands() -> dict[str, Any]:
    """What the commands print as JSON."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, words in COMMANDS.items():
            out = ["--out", f"{folder}/{name}"] if words[0] == "train" else []
            result = CliRunner().invoke(app, [*words, *out])
            assert result.exit_code == 0, result.output
            found[name] = without_times(json.loads(result.stdout.replace(folder, "")))
    return found


def without_times(tree: Any) -> Any:
    """The same JSON without what differs from run to run."""
    if isinstance(tree, Mapping):
        return {key: without_times(value) for key, value in tree.items() if key not in TIMES}
    return [without_times(value) for value in tree] if isinstance(tree, (list, tuple)) else tree


def _maker(name: str) -> Callable[[], gym.Env]:
    return lambda: gym.make(TASKS[name.split("/")[0]].env_id)


PARTS: dict[str, Callable[[], Any]] = {
    "trainings": trainings,
    "evaluations": evaluations,
    "certificates": certificates,
    "commands": commands,
}

if __name__ == "__main__":
    main()
