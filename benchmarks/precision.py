"""Does reduced precision hurt? CVPO on Ball-Circle with its E-step in float32 and in bfloat16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.learning import KEPT, Case, learn

SHARES = tuple((i + 1) / 10 for i in range(10))


def _case(dtype: str, timesteps: int = 120_000) -> Case:
    options = {"estep_dtype": dtype}
    return Case(f"cvpo {dtype}", "cvpo", "cvpo", timesteps, options, ("natural",), SHARES)


CASES = {case.name: case for case in (_case("float32"), _case("bfloat16"))}


def measure(
    cases: tuple[Case, ...] = tuple(CASES.values()),
    seeds: tuple[int, ...] = (0, 1),
    kept: Path | None = KEPT,
) -> dict[str, Any]:
    """Train what is not trained yet, and put the learning curves side by side."""
    runs = [learn(case, seed, kept) for case in cases for seed in seeds]
    rows = [
        {
            "E-step": run["case"],
            "seed": run["seed"],
            "steps": point["timesteps"],
            "CPU s": point["cpu_s"],
            "reward": point["reward"],
            "cost": point["costs"]["natural"],
        }
        for run in runs
        for point in run["points"]
    ]
    return {"benchmark": "precision", "setting": {"task": "ball-circle"}, "rows": rows}
