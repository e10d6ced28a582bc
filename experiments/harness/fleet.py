"""Runs over whatever computes them, until all are done or somebody asks to stop."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from experiments.harness.cells import Cell
from experiments.harness.work import STOPPED, finished
from safer_gym.conformance.cli.progress import Reporter
from safer_gym.conformance.cli.progress_file import read_progress

POLL_SECONDS = 0.5


class Fleet(Protocol):
    """What computes runs: processes of this machine, or a cluster."""

    size: int
    """How many at once."""

    def start(self, cell: Cell) -> None:
        """Begin a run."""

    def ended(self) -> list[tuple[Cell, str]]:
        """The runs that ended since the last call, each with what went wrong, or ""."""

    def stop(self) -> None:
        """End what still runs; all of it can be resumed."""


Verdicts = dict[Cell, str]
"""For each run that ended what went wrong, or ""."""


def drive(
    cells: Sequence[Cell],
    make_fleet: Callable[[], Fleet],
    bar: Reporter,
    stop: Callable[[], bool],
    show: Callable[[Verdicts], None],
) -> Verdicts:
    """Run what is not done yet.

    Args:
        make_fleet: called only if there is something to run.
        stop: asked now and then.
        show: told what is known at the start, and whenever a run has ended.

    Returns:
        The verdicts of all cells.
    """
    verdicts: Verdicts = {}
    for cell in cells:
        try:
            if finished(cell) is not None:
                verdicts[cell] = ""
        except ValueError as error:
            verdicts[cell] = str(error)
    show(verdicts)
    waiting = deque(cell for cell in cells if cell not in verdicts)
    if waiting:
        fleet = make_fleet()
        try:
            _run(waiting, fleet, verdicts, bar, stop, show)
        finally:
            fleet.stop()
    return {cell: verdicts.get(cell, STOPPED) for cell in cells}


def _run(
    waiting: deque[Cell],
    fleet: Fleet,
    verdicts: Verdicts,
    bar: Reporter,
    stop: Callable[[], bool],
    show: Callable[[Verdicts], None],
) -> None:
    todo, before = len(waiting), len(verdicts)
    running: list[Cell] = []
    while (waiting or running) and not stop():
        while waiting and len(running) < fleet.size:
            running.append(waiting.popleft())
            fleet.start(running[-1])
        for cell, verdict in fleet.ended():
            running.remove(cell)
            verdicts[cell] = verdict
            bar.say(f"{cell.name}: {verdict or 'done'}")
            show(verdicts)
        done = len(verdicts) - before
        told = {cell.name: read_progress(cell.folder) for cell in running}
        share = (done + sum(now.share for now in told.values())) / todo
        notes = (f"{name}: {now.what}" for name, now in told.items())
        bar.update("runs", share, "; ".join([f"{done} of {todo}", *notes]))
        time.sleep(POLL_SECONDS)
