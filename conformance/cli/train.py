"""The command `train`: recipes, checkpoints, resuming, and a record beside the model."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import typer

from safer_gym.agents.training.curve import CurvePoint, last_means
from safer_gym.agents.training.plan import Run, planned
from safer_gym.agents.training.run import Choice, train
from safer_gym.conformance import provenance
from safer_gym.conformance.cli.environments import EnvWords
from safer_gym.conformance.cli.named_before import remember
from safer_gym.conformance.cli.output import print_json, stderr
from safer_gym.conformance.cli.progress import Bar, Reporter
from safer_gym.conformance.cli.selection import choose_policy
from safer_gym.conformance.cli.stopping import INTERRUPTED, stop_flag
from safer_gym.conformance.cli.threads import one_thread
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
) -> None:
    """Train, or go on training, and say where the model is."""
    one_thread()
    if not env.env:
        raise ValueError("train needs an environment: safer-gym train ball-circle, or --env")
    task = env.task()
    given = {"cost_limit": cost_limit, "eps": eps}
    asked = {key: value for key, value in given.items() if value is not None}
    if eps is not None:
        task = replace(task, eps=eps)  # at which the policy that is kept is chosen
    folder = Path(out or f"runs/{re.sub(r'[^a-zA-Z0-9_.-]+', '-', env.env)}-{algorithm}-{seed}")
    run = planned(task, algorithm, folder, timesteps, seed, overlap=overlap, asked=asked)
    check_ends(task.make, 0)
    remember(task)
    with Bar() as bar:
        curve = train_policy(run, bar, resume=resume)
    result = {"model": str(run.model), "timesteps": run.timesteps, **last_means(curve)}
    if as_json:
        print_json(result)
    else:
        print("  ".join(f"{key} {value}" for key, value in result.items()))


def train_policy(
    run: Run,
    bar: Reporter,
    *,
    resume: bool = True,
    choose: Callable[[list[Path], Run], Choice] | None = None,
) -> list[CurvePoint]:
    """`agents.training.run.train`; Ctrl-C and SIGTERM stop it.

    Args:
        choose: of the policies that are kept; None: by episodes, see `choose_policy`.

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
        choose=choose
        or (lambda candidates, run: choose_policy(candidates, run.algorithm, task, bar)),
        progress=partial(bar.update, "training"),
        say=bar.say,
        stopping=stop_flag,
        about=provenance.record,
    )
    if not trained.finished:
        stderr.print(f"stopped at {trained.timesteps} steps; the same command goes on from here")
        raise typer.Exit(INTERRUPTED)
    return trained.curve
