"""Is each episode determined by its seed, and none the repetition of another?

Every bound of a certificate rests on independent episodes. An environment with a generator that no
seed reaches gives other episodes for the same seed, and the same ones in two forked processes; one
that remembers earlier episodes gives episodes that depend on each other.
"""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from safer_gym.conformance.certificate.record import Flag
from safer_gym.conformance.certify.ledger import Key, Ledger
from safer_gym.conformance.certify.search import Found
from safer_gym.conformance.certify.seeds import seed_of
from safer_gym.conformance.certify.world import Job, Result, World, run_job
from safer_gym.conformance.orphans import end_with_parent
from safer_gym.conformance.statistics import repeated_run
from safer_gym.wrappers.gate.forgetting import remembered

PATIENCE = 60.0
"""Seconds that one episode in another process may take."""

NOT_REPEATABLE = (
    "an episode run again {where} went otherwise: the environment has a generator that its seed "
    "does not reach, or remembers earlier episodes. No bound holds of such episodes, and replays "
    "differ. Draw from the environment's np_random, or from a global generator"
)


def repeat_flags(world: World, pilot: Found) -> list[Flag]:
    """The search's first episode twice more, in this process and in another; and an episode that
    follows another one in its environment."""
    job = pilot.job._replace(episodes=1, radii=(), trace=False)
    first = pilot.result.streams[0]
    if not all(run_job(world, job).streams[0] == first for _ in range(2)):
        return [not_repeatable("in this process")]
    elsewhere = _in_another_process(world, job)
    if elsewhere is not None and elsewhere.streams[0] != first:
        return [not_repeatable("in another process")]
    seeds = seed_of(world.start, "search", 0), seed_of(world.start, "search", 1)
    if place := remembered(world.env_pool.make_env, seeds):
        return [not_repeatable(f"after another one in the same environment ({place})")]
    return []


def stream_flags(ledger: Ledger, found: Sequence[Found]) -> list[Flag]:
    """Episodes of different seeds that repeat each other in order, those of the search included."""
    flags = []
    for key, cell in ledger.cells.items():
        searched = [f.result.streams for f in found if _key(f.job) == key]
        measured = [result.streams for result in cell.results]
        repeat = repeated_run(np.concatenate([np.zeros(0, np.uint64), *searched, *measured]))
        if repeat is not None:
            flags.append(
                Flag(
                    "repeated-episodes",
                    f"under {key.attack} at eps {key.eps:g} ({key.mode}) {repeat.length} episodes "
                    f"repeat {repeat.length} others of other seeds, step by step: they are not "
                    "independent, and no bound of them holds",
                    "error",
                )
            )
    return flags[:1]


def not_repeatable(where: str) -> Flag:
    """An episode went otherwise when it was run again."""
    return Flag("not-repeatable", NOT_REPEATABLE.format(where=where), "error")


def _key(job: Job) -> Key:
    return Key.of(job.mode, job.attack, job.eps)


def _in_another_process(world: World, job: Job) -> Result | None:
    """None where there is no such process: no fork here, or one that the environment or the
    policy's device does not survive."""
    if world.device != "cpu" or "fork" not in multiprocessing.get_all_start_methods():
        return None
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(there, world, job), daemon=True)
    with warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads; the process uses none.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    there.close()
    try:
        return here.recv() if here.poll(PATIENCE) else None
    except EOFError:
        return None
    finally:
        process.kill()
        process.join()
        here.close()


def _answer(there: Any, world: World, job: Job) -> None:
    end_with_parent()
    torch.set_num_threads(1)
    there.send(run_job(world, job))
