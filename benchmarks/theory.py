"""Every statement of the theory on random finite problems: violations, and how tight it is."""

from __future__ import annotations

from typing import Any

from benchmarks.timing import lap_of
from safer_gym.theory import try_theory


def measure(problems: int = 20_000, seed: int = 0) -> dict[str, Any]:
    """Try all statements; the result says how many rows fail."""
    found: list[Any] = []
    lap = lap_of(lambda: found.append(try_theory(problems, seed)))()
    rows, observed = found[0]
    return {
        "benchmark": "theory",
        "setting": {"problems": problems, "seed": seed, "CPU s": round(lap.cpu, 1)},
        "rows": [{**row._asdict(), "holds": row.holds} for row in rows],
        "observed": observed,
    }
