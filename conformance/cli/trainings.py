"""Trainings of the commands: one, or several side by side, each in a folder of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import typer

from safer_gym.agents.training.curve import CurvePoint
from safer_gym.agents.training.plan import Run
from safer_gym.agents.training.run import Choice, train
from safer_gym.conformance import provenance
from safer_gym.conformance.cli.output import stderr
from safer_gym.conformance.cli.progress import Reporter
from safer_gym.conformance.cli.progress_file import ProgressFile, read_progress
from safer_gym.conformance.cli.selection import choose_policy
from safer_gym.conformance.cli.stopping import INTERRUPTED, stop_flag
from safer_gym.conformance.workers.pool import Pool, Workers


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


def train_policies(
    runs: Sequence[Run], bar: Reporter, workers: Workers, *, resume: bool = True
) -> list[list[CurvePoint]]:
    """`train_policy` of all; the workers change the speed and nothing else.

    Returns:
        The learning curves, in the order of the runs.
    """
    if workers.here:
        return [train_policy(run, bar, resume=resume) for run in runs]
    with stop_flag() as stop, Pool(_alone, resume, workers) as pool:

        def waiting() -> None:
            told = [read_progress(run.out) for run in runs]
            notes = (f"seed {run.seed}: {now.what}" for run, now in zip(runs, told, strict=True))
            bar.update("seeds", sum(now.share for now in told) / len(runs), "; ".join(notes))
            if stop():
                for process in multiprocessing.active_children():
                    process.terminate()  # each asks its training for a last checkpoint
                raise typer.Exit(INTERRUPTED)

        curves = list(pool.run(runs, waiting=waiting))
    bar.update("seeds", 1.0)
    return curves


def _alone(resume: bool, run: Run) -> list[CurvePoint]:
    run.out.mkdir(parents=True, exist_ok=True)
    return train_policy(run, ProgressFile(run.out), resume=resume)
