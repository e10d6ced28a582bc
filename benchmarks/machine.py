"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import interleave, lap_of
from safer_gym.conformance.provenance import commit, instructions, versions


def describe() -> dict[str, Any]:
    """Processor, load, priority, threads and versions."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": _processor(),
        "instructions": instructions(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_1min": load,
        "nice": os.nice(0) if hasattr(os, "nice") else None,
        "system": platform.system(),
        "versions": versions(),
        "commit": commit(),
        "malloc": {key: value for key, value in os.environ.items() if key.startswith("MALLOC_")},
    }


def sgemm_peak(repetitions: int, size: int = 1024) -> float:
    """Rate of one large float32 matrix product, FLOP a second of CPU time, best of all laps."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    out = torch.empty(size, size)
    timings = interleave({"mm": lap_of(lambda: torch.mm(a, b, out=out))}, repetitions)
    return 2 * size**3 / min(lap.cpu for lap in timings["mm"].laps)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    for line in text.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
