"""What each run took and how it was made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.harness.records import Record
from experiments.safer.tables import Block

UNKNOWN = "not recorded"


def run_row(record: Record) -> dict[str, Any]:
    """One run: task, method, seed, what it took, what made it."""
    data = record.data
    return {
        "task": record.task,
        "method": record.method,
        "seed": record.seed,
        "timesteps": data["timesteps"],
        "training_cost": record.total("total_cost"),
        "train_seconds": record.total("seconds"),
        "chosen": data["chosen"],
        "commit": data["commit"],
        "made": data["made"],
        "command": data["command"],
        "versions": json.dumps(data["versions"]),
        "hyperparameters": json.dumps(data["kwargs"]),
    }


def effort(block: Block) -> tuple[str, str, str]:
    """Environment steps, training cost and wall time of a method's runs, in words."""
    steps = sorted({int(record.data["timesteps"]) for record in block.records})
    return (
        ", ".join(f"{step:,}" for step in steps),
        _mean_words([record.total("total_cost") for record in block.records], "{:,.0f}"),
        _mean_words([record.total("seconds") for record in block.records], "{:,.0f} s"),
    )


def differing(records: Sequence[Record]) -> list[str]:
    """Settings in which the runs of one method differ; seeds should be all."""
    keys = ("timesteps", "n_envs", "kwargs")
    return [
        k for k in keys if len({json.dumps(r.data.get(k), sort_keys=True) for r in records}) > 1
    ]


def _mean_words(values: Sequence[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return UNKNOWN if values else ""
    return form.format(float(np.mean(known)))
