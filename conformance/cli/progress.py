"""Progress with an estimate of the time left: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

from time import monotonic
from typing import Protocol

from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from safer_gym.conformance.cli.output import stderr

LOG_SECONDS = 10.0


class Reporter(Protocol):
    """Where progress is told."""

    def update(self, name: str, share: float, note: str = "") -> None:
        """Say that `share` of the work called `name` is done."""

    def say(self, text: str) -> None:
        """Tell a line of its own."""


class Bar:
    """`with Bar() as bar: bar.update("training", 0.3)`; shares are in [0, 1]."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, tuple[float, float]] = {}
        """When each kind of work was first heard of, and the share done by then."""
        self._logged: dict[str, float] = {}
        self._finished: set[str] = set()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            TextColumn("{task.fields[note]}"),
            console=stderr,
            speed_estimate_period=60.0,
            disable=not stderr.is_terminal,
        )

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._progress.stop()

    def update(self, name: str, share: float, note: str = "") -> None:
        """Say that `share` of the work called `name` is done."""
        if name not in self._tasks:
            task = self._progress.add_task(name, total=1.0, note=note)
            self._tasks[name], self._started[name] = task, (monotonic(), share)
        self._progress.update(self._tasks[name], completed=share, note=note)
        if not stderr.is_terminal:
            self._log(name, share, note)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(text, highlight=False)

    def _log(self, name: str, share: float, note: str) -> None:
        now, (started, before) = monotonic(), self._started[name]
        due = now - self._logged.get(name, started) >= LOG_SECONDS
        if name in self._finished or not (due or share >= 1.0):
            return
        if share >= 1.0:
            self._finished.add(name)
        self._logged[name] = now
        left = ""
        if share > before:
            left = f", {(now - started) * (1.0 - share) / (share - before):.0f} s left"
        stderr.print(f"{name}: {share:.0%}{left} {note}", highlight=False)
