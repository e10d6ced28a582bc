"""Does reduced precision hurt? CVPO on Ball-Circle with its E-step in float32 and in bfloat16."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.learning import Case, Run

SHARES = tuple((i + 1) / 10 for i in range(10))


def _case(dtype: str, timesteps: int = 120_000) -> Case:
    options = {"estep_dtype": dtype}
    return Case(f"cvpo {dtype}", "cvpo", "cvpo", timesteps, options, ("natural",), SHARES)


CASES = {case.name: case for case in (_case("float32"), _case("bfloat16"))}


def table(runs: Sequence[Run]) -> dict[str, Any]:
    """The learning curves side by side."""
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
    setting = {"task": "ball-circle"}
    return {"benchmark": "precision", "setting": setting, "rows": rows, "runs": list(runs)}
