"""Records of runs, made up, for the tests of the reproduction's tables and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from experiments.harness.records import STRONGEST, Record, file_name

BALL = "ball-circle"


def met(reward: float, cost: float, episodes: int = 4) -> dict[str, Any]:
    return {"returns": [reward] * episodes, "costs": [cost] * episodes}


def put(
    folder: Path,
    method: str,
    seed: int = 0,
    task: str = BALL,
    curve: tuple[tuple[float, float], ...] = (),
    timesteps: int = 1000,
    **attacks: tuple[float, float],
) -> Record:
    """Write a record: attacks as (reward, cost), the curve as (total cost, reward)."""
    attacks = {"natural": (600.0, 0.0), "mc": (600.0, 0.0), "mr": (600.0, 0.0)} | attacks
    evaluation: dict[str, Any] = {name: met(*pair) for name, pair in attacks.items()}
    if STRONGEST in evaluation:
        evaluation[STRONGEST]["attack"] = "mc iterated"
    data = {
        "task": task,
        "algorithm": "safer",
        "method": method,
        "seed": seed,
        "timesteps": timesteps,
        "n_envs": 2,
        "kwargs": {},
        "chosen": "last",
        "commit": "abc",
        "made": "today",
        "command": "c",
        "versions": {"torch": "2"},
        "evaluation": evaluation,
        "evaluation_last": evaluation,
    }
    path = folder / f"{file_name(task, method, seed)}.json"
    path.write_text(json.dumps(data))
    rows = [
        f"{(i + 1) * 100},{reward},0,{i + 1.0},{cost}" for i, (cost, reward) in enumerate(curve)
    ]
    head = "timesteps,ep_rew_mean,ep_cost_mean,seconds,total_cost"
    path.with_suffix(".csv").write_text("\n".join([head, *rows]) + "\n")
    return Record(path, data)
