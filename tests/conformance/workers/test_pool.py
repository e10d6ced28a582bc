"""Workers: results in order, and no process that outlives the one that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from safer_gym.conformance.workers.pool import Pool

SCRIPT = """
import sys, time
from safer_gym.conformance.workers import pool, processes

def work(world, job):
    print(f"job {job}\\n", end="", flush=True)  # whole, where nothing is buffered, too
    time.sleep(10_000)

if sys.argv[1] == "spawn":
    processes.multiprocessing.get_all_start_methods = lambda: ["spawn"]
if __name__ == "__main__":
    with pool.Pool(work, None, 2) as two:
        list(two.run([0, 1, 2]))
"""
AGAIN = """
import time
from types import SimpleNamespace
from safer_gym.conformance.certify import independence

def run_job(world, job):
    print(f"job {job}\\n", end="", flush=True)
    time.sleep(10_000)

independence.run_job, independence.PATIENCE = run_job, 10_000
independence._in_another_process(SimpleNamespace(device="cpu"), 0)
"""
"""An episode that is run again, in a process of its own."""


def add(world: int, job: int) -> int:
    return world + job


def test_results_come_in_the_order_of_the_jobs() -> None:
    for workers in (1, 2):
        with Pool(add, 10, workers) as pool:
            assert list(pool.run(range(7))) == list(range(10, 17))


@pytest.mark.parametrize(
    ("start", "end"),
    [("fork", signal.SIGKILL), ("fork", signal.SIGTERM), ("spawn", signal.SIGKILL)],
)
def test_workers_end_with_the_process_that_started_them(
    start: str, end: signal.Signals, tmp_path: Path
) -> None:
    check_ends(SCRIPT, start, {"job 0\n", "job 1\n"}, end, tmp_path)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_so_does_an_episode_that_is_run_again(end: signal.Signals, tmp_path: Path) -> None:
    check_ends(AGAIN, "", {"job 0\n"}, end, tmp_path)


def check_ends(source: str, start: str, lines: set[str], end: signal.Signals, folder: Path) -> None:
    """The others hold the other end of its output, which ends when the last of them does."""
    script = folder / "script.py"
    script.write_text(source)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), start]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as parent:
        assert parent.stdout is not None
        overdue = Timer(120, parent.kill)
        overdue.start()
        assert {parent.stdout.readline() for _ in lines} == lines
        overdue.cancel()
        parent.send_signal(end)
        rest, _ = parent.communicate(timeout=120)
    assert rest == ""
    assert parent.returncode == -end
