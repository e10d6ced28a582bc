"""Peak memory of a training with a full buffer, and of certificates of more and more episodes.

Each row is a process of its own. The episodes are short, in an environment without physics: their
number is what matters. "Grown by" is what the work added to the process with everything imported.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.networks import make_agent
from benchmarks.short_episodes import LENGTH, certify_short


def measure(
    *,
    buffer_size: int = 1_000_000,
    episodes: tuple[int, ...] = (100, 1_000, 10_000),
    width: int = 256,
) -> dict[str, Any]:
    """One row for the training and one for each number of episodes."""
    rows = [{"work": f"training, buffer of {buffer_size:,}", **_apart(_train, buffer_size, width)}]
    rows += [
        {"work": f"certificate of {number:,} episodes", **_apart(_certify, number, width)}
        for number in episodes
    ]
    setting = {"width": width, "steps of an episode": LENGTH}
    return {"benchmark": "memory", "setting": setting, "rows": rows}


def peak_mb() -> float:
    """The most memory that this process has held so far, in MB (resident set).

    Raises:
        OSError: a system that does not tell (all but Linux).
    """
    # Not getrusage: its peak counts that of the process that started this one.
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024 / 1e6


def _apart(work: Callable[[int, int], None], size: int, width: int) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, work, size, width))
    process.start()
    theirs.close()
    before, after = ours.recv()
    process.join()
    return {"peak MB": after, "grown by MB": after - before}


def _serve(pipe: Connection, work: Callable[[int, int], None], size: int, width: int) -> None:
    work(10, 8)  # imports everything
    before = peak_mb()
    work(size, width)
    pipe.send((before, peak_mb()))


def _train(buffer_size: int, width: int) -> None:
    agent = make_agent("safer", width, buffer_size=buffer_size)
    buffer = agent.replay_buffer
    assert buffer is not None
    for store in (buffer.observations, buffer.next_observations, buffer.actions, buffer.rewards):  # type: ignore[attr-defined]
        store[:] = 0.1  # memory counts once it is written
    for store in (buffer.dones, buffer.timeouts, buffer.costs):  # type: ignore[attr-defined]
        store[:] = 0.0
    buffer.pos, buffer.full = 0, True
    agent._current_progress_remaining = 0.0
    agent.train(2, 300)


def _certify(episodes: int, width: int) -> None:
    certify_short(episodes, width=width)
