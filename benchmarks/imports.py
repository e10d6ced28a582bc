"""What importing costs, each time in a fresh process: what a user waits for before the first line.

"beyond" is what a module adds to a process that has those before it already.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from typing import Any

Case = tuple[str, str, str]
"""A name, what is imported before the clock starts, and the line that is timed."""
CASES: tuple[Case, ...] = (
    ("torch", "", "import torch"),
    ("safer_gym", "torch", "import safer_gym"),
    ("safer_gym.attacks", "torch", "import safer_gym.attacks"),
    ("safer_gym and gymnasium", "torch", "import safer_gym, gymnasium"),
    ("safer_gym.agents", "torch", "import safer_gym.agents"),
    ("safer-gym --help", "", "from safer_gym.conformance.cli.main import main; main()"),
)
_CODE = """
import contextlib, io, sys, time
{before}
sys.argv = ["safer-gym", "--help"]
wall, cpu = time.perf_counter(), time.process_time()
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    {timed}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def measure(
    *, cases: tuple[Case, ...] = CASES, warm_up: int = 1, repetitions: int = 5
) -> dict[str, Any]:
    """Run each case in turns, `repetitions` times after `warm_up` that fill the disk's cache."""
    laps: dict[str, list[list[float]]] = {name: [] for name, _, _ in cases}
    for turn in range(warm_up + repetitions):
        for name, before, timed in cases:
            seconds = _run(before, timed)
            if turn >= warm_up:
                laps[name].append(seconds)
    rows = [
        {
            "import": name,
            "beyond": before or "python",
            "ms": 1e3 * median(wall for wall, _ in laps[name]),
            "CPU ms": 1e3 * median(cpu for _, cpu in laps[name]),
        }
        for name, before, _ in cases
    ]
    return {"benchmark": "imports", "setting": {"repetitions": repetitions}, "rows": rows}


def _run(before: str, timed: str) -> list[float]:
    """Wall and CPU seconds."""
    code = _CODE.format(before=f"import {before}" if before else "", timed=timed)
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return [float(number) for number in result.stdout.split()[-2:]]
