"""Time to a robust policy: SAFER on Ball-Circle, by settings like the demo's, against the clock.

A policy counts as robust with a natural reward of 550 and no mean cost above 5, undisturbed and
under MC and MR at eps 0.05. The policy of a setting is what `safer-gym train` keeps: the best of
the last checkpoints by the score on other episodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.learning import Case, Run
from safer_gym.agents.training.run import FIRST_SHARE

REWARD, COST = 550.0, 5.0


def _demo(name: str, timesteps: int = 240_000, **options: Any) -> Case:
    return Case(name, "safer", "demo", timesteps, options)


CASES = {
    case.name: case
    for case in (
        _demo("margin 1.1", eps=0.055),
        _demo("margin 1.0", eps=0.05),
        _demo("margin 1.0, early attack", eps=0.05, eps_start=0.2, eps_end=0.35),
        _demo("margin 1.0, 300k", 300_000, eps=0.05),
        _demo("margin 1.1, 300k", 300_000, eps=0.055),
        _demo("margin 1.1, 300k, overlap", 300_000, eps=0.055)._replace(overlap=True),
        _demo("margin 1.05, 300k, overlap", 300_000, eps=0.05 * 1.05)._replace(overlap=True),
    )
}


def table(runs: Sequence[Run]) -> dict[str, Any]:
    """All runs side by side, and their curves."""
    return {
        "benchmark": "robust time",
        "setting": {"task": "ball-circle", "reward": REWARD, "cost": COST},
        "rows": [summary(run) for run in runs],
        "runs": list(runs),
    }


def summary(run: Run) -> dict[str, Any]:
    """One row: when the goal was first reached, and the policy that the choice would keep."""
    points = run["points"]
    reached = [p for p in points if p["reward"] >= REWARD and p["worst_cost"] <= COST]
    late = [p for p in points if p["timesteps"] >= FIRST_SHARE * points[-1]["timesteps"]]
    chosen = max(late, key=lambda p: (p["choosing_score"], p["timesteps"]))
    return {
        "setting": run["case"],
        "seed": run["seed"],
        "steps": points[-1]["timesteps"],
        "CPU s": points[-1]["cpu_s"],
        "wall s": points[-1]["wall_s"],
        "first robust after, CPU s": reached[0]["cpu_s"] if reached else "never",
        "reward": chosen["reward"],
        "MC cost": chosen["costs"]["mc"],
        "MR cost": chosen["costs"]["mr"],
    }
