"""Return and violations of the table's rows under its columns.

Axes: n episodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.drac.measuring import BANG_BANG, RESPONSES
from experiments.drac.methods import SHIELDED
from experiments.harness.records import Record, select

COLUMNS: dict[str, tuple[str, ...]] = {
    "no adversary": ("natural",),
    "safety": ("safety",),
    "performance": ("performance",),
    "best response": tuple(RESPONSES),
    "bang-bang": BANG_BANG,
}
"""The attacks of each column; of several the worst of each number counts, seed by seed."""
ATTACKS = tuple(name for name in COLUMNS if name != "no adversary")


class Numbers(NamedTuple):
    """What an adversary made of a policy."""

    reward: float
    """Mean return."""
    episodes: float
    """Share of the episodes with h < 0 at some step."""
    steps: float
    """Share of the steps with h < 0."""
    depth: float
    """Lowest h."""


def runs_of(records: Sequence[Record], task: str, row: str) -> list[Record]:
    """The runs of a row, by seed; DRAC's with the shield are those of DRAC."""
    return select(records, task, "DRAC" if row == SHIELDED else row)


def numbers_of(record: Record, row: str, column: str) -> Numbers | None:
    """One seed's; None: not measured."""
    key = "evaluation_shield" if row == SHIELDED else "evaluation"
    evaluation = record.data.get(key, {})
    found = [_numbers(evaluation[name]) for name in COLUMNS[column] if name in evaluation]
    if len(found) < len(COLUMNS[column]):
        return None
    rewards, episodes, steps, depths = zip(*found, strict=True)
    return Numbers(min(rewards), max(episodes), max(steps), min(depths))


def numbers(records: Sequence[Record], task: str, row: str, column: str) -> list[Numbers]:
    """All seeds'.

    Raises:
        KeyError: none is measured.
    """
    runs = runs_of(records, task, row)
    found = [n for n in (numbers_of(run, row, column) for run in runs) if n is not None]
    if not found:
        raise KeyError(f"no numbers of {row}" + (f" under {column}" if runs else ""))
    return found


def mean_of(found: Sequence[Numbers]) -> Numbers:
    """Over seeds; the depth is the lowest of all."""
    rewards, episodes, steps, depths = np.array(found).T
    return Numbers(
        float(rewards.mean()), float(episodes.mean()), float(steps.mean()), float(depths.min())
    )


def _numbers(part: dict[str, Any]) -> Numbers:
    worst, costs = np.array(part["worst_h"]), np.array(part["costs"])
    return Numbers(
        float(np.mean(part["returns"])),
        float((worst < 0).mean()),
        float(costs.sum() / np.sum(part["lengths"])),
        float(worst.min()),
    )
