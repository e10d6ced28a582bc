"""Runs side by side on this machine: a process each, which ends when its parent does."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from experiments.harness.cells import Cell
from experiments.harness.work import work
from safer_gym.conformance.cli.progress_file import LOG, ProgressFile
from safer_gym.conformance.orphans import end_with_parent

GRACE = 120.0
"""Seconds that a run has for its last checkpoint when it is stopped."""


class _Running(NamedTuple):
    cell: Cell
    process: BaseProcess
    says: Connection


class Processes:
    """A process for each run, so that one that dies takes nothing else with it.

    Args:
        size: how many at once.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        can_fork = "forkserver" in multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context("forkserver" if can_fork else "spawn")
        if can_fork:
            # One process imports what all need; each run is a fork of it, without our threads.
            self._context.set_forkserver_preload([_alone.__module__])
        self._running: list[_Running] = []

    def start(self, cell: Cell) -> None:
        """Begin a run."""
        hears, says = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_alone, args=(cell, says), daemon=False)
        process.start()
        says.close()
        self._running.append(_Running(cell, process, hears))

    def ended(self) -> list[tuple[Cell, str]]:
        """The runs that ended since the last call, each with what went wrong, or ""."""
        over = [running for running in self._running if not running.process.is_alive()]
        self._running = [running for running in self._running if running not in over]
        return [(running.cell, _verdict(running)) for running in over]

    def stop(self) -> None:
        """Ask all runs for a last checkpoint, and wait for it."""
        for running in self._running:
            running.process.terminate()
        for running in self._running:
            running.process.join(GRACE)
            running.process.kill()


def _verdict(running: _Running) -> str:
    running.process.join()
    try:
        return str(running.says.recv())
    except EOFError:
        return f"its process died with exit code {running.process.exitcode}"
    finally:
        running.says.close()


def _alone(cell: Cell, says: Connection) -> None:
    """The process: output goes to the run's log."""
    end_with_parent()  # or it would hold its lock against the command that is started again
    cell.folder.mkdir(parents=True, exist_ok=True)
    log = (cell.folder / LOG).open("a", buffering=1)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log.fileno(), stream.fileno())
    says.send(work(cell, ProgressFile(cell.folder)))
