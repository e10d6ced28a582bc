"""The command `train`: recipes, checkpoints, resuming, and a record beside the model."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from safer_gym.agents.training.curve import last_means
from safer_gym.agents.training.plan import planned
from safer_gym.conformance.cli.environments import EnvWords
from safer_gym.conformance.cli.measure import parse_whole
from safer_gym.conformance.cli.named_before import remember
from safer_gym.conformance.cli.output import print_json
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.cli.trainings import train_policies
from safer_gym.conformance.cli.workers import workers_of
from safer_gym.wrappers.gate.ends import check_ends


def run_train(
    env: EnvWords,
    algorithm: str,
    *,
    timesteps: int,
    seed: int,
    out: str,
    resume: bool,
    overlap: bool,
    as_json: bool,
    cost_limit: float | None = None,
    eps: float | None = None,
    seeds: str = "",
    workers: int | None = None,
    ray: str = "",
) -> None:
    """Train, or go on training, and say where the model is; `seeds`: a training for each.

    Raises:
        ValueError: no environment, wrong seeds, or workers for a single training.
    """
    one_thread()
    if not env.env:
        raise ValueError("train needs an environment: safer-gym train ball-circle, or --env")
    task = env.task()
    given = {"cost_limit": cost_limit, "eps": eps}
    asked = {key: value for key, value in given.items() if value is not None}
    if eps is not None:
        task = replace(task, eps=eps)  # at which the policy that is kept is chosen
    stem = out or f"runs/{re.sub(r'[^a-zA-Z0-9_.-]+', '-', env.env)}-{algorithm}"
    folders = {s: Path(f"{stem}-{s}") for s in parse_whole("seeds", seeds) or (seed,)}
    if out and not seeds:
        folders = {seed: Path(out)}
    runs = [
        planned(
            task,
            algorithm,
            folder.absolute() if ray else folder,
            timesteps,
            s,
            overlap=overlap,
            asked=asked,
        )
        for s, folder in folders.items()
    ]
    check_ends(task.make, 0)
    remember(task)
    with workers_of(workers, ray) as computing, Bar() as bar:
        curves = train_policies(runs, bar, computing, resume=resume)
    results = [
        {"model": str(run.model), "timesteps": run.timesteps, **last_means(curve)}
        for run, curve in zip(runs, curves, strict=True)
    ]
    if as_json:
        print_json(results if seeds else results[0])
    else:
        for result in results:
            print("  ".join(f"{key} {value}" for key, value in result.items()))
