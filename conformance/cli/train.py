"""The command `train`: recipes, checkpoints, resuming, and a record beside the model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import typer

from safer_gym.agents.training.curve import CurvePoint
from safer_gym.agents.training.run import Run, last_means, planned, train
from safer_gym.conformance import provenance
from safer_gym.conformance.cli.output import print_json, stderr
from safer_gym.conformance.cli.progress import Bar, Reporter
from safer_gym.conformance.cli.selection import choose_policy
from safer_gym.conformance.cli.stopping import INTERRUPTED, stop_flag
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.wrappers.tasks import find_task


def run_train(
    task: str,
    algorithm: str,
    *,
    timesteps: int,
    seed: int,
    out: Path,
    resume: bool,
    overlap: bool,
    as_json: bool,
) -> None:
    """Train, or go on training, and say where the model is."""
    one_thread()
    if timesteps < 0:
        raise ValueError(f"timesteps must be >= 0, got {timesteps}")
    run = planned(find_task(task), algorithm, out, timesteps, seed, overlap=overlap)
    with Bar() as bar:
        curve = train_policy(run, bar, resume=resume)
    result = {"model": str(run.model), "timesteps": run.timesteps, **last_means(curve)}
    if as_json:
        print_json(result)
    else:
        print("  ".join(f"{key} {value}" for key, value in result.items()))


def train_policy(run: Run, bar: Reporter, *, resume: bool = True) -> list[CurvePoint]:
    """`agents.training.run.train`, with the choice by episodes; Ctrl-C and SIGTERM stop it.

    Returns:
        The learning curve.

    Raises:
        ValueError: the folder holds another run.
        typer.Exit: with code 130, after Ctrl-C or SIGTERM and a last checkpoint.
        OSError: the model could not be saved.
    """
    task: Any = run.task
    trained = train(
        run,
        resume=resume,
        choose=lambda candidates, run: choose_policy(candidates, run.algorithm, task, bar),
        progress=partial(bar.update, "training"),
        say=bar.say,
        stopping=stop_flag,
        about=provenance.record,
    )
    if not trained.finished:
        stderr.print(f"stopped at {trained.timesteps} steps; the same command goes on from here")
        raise typer.Exit(INTERRUPTED)
    return trained.curve
