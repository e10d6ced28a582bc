"""What the SAFER paper reports (Tables 5 to 8, its Figure 2), read from `paper_tables.csv`."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from safer_gym.wrappers.adapters.bullet_tasks import PAPER_TASKS
from safer_gym.wrappers.tasks import TASKS

TABLES = (5, 6, 7, 8)
FIGURE_METHODS = ("SA-PPOL", "SA-PPOL(MC)", "ADV-PPOL", "SAFER", "SAFER-attacked")
"""The curves of Figure 2, and ours."""
REFERENCES = {5: (), 6: ("SAFER", "CVPO-vanilla"), 7: (), 8: ("SAFER-paper",)}
"""Rows of other tables that a table is to be read against; they are run with it."""
STEPS = {
    "ball-circle": 3_600_000,
    "car-circle": 4_200_000,
    "drone-run": 1_400_000,
    "ant-run": 2_400_000,
}
"""Environment steps of the paper's off-policy methods, by our reading: the epochs of its Table 4,
times the rollout length, times the 20 episodes that an epoch has in the public code of CVPO.
"""
ON_POLICY_STEPS = {
    "ball-circle": 13_500_000,
    "car-circle": 22_500_000,
    "drone-run": 15_000_000,
    "ant-run": 15_000_000,
}
"""The same of its on-policy methods: epochs times batch size (Table 4)."""


class Published(NamedTuple):
    """A number of the paper's, with its deviation over episodes and seeds."""

    mean: float
    std: float


Key = tuple[int, str, str, str, str]
"""Table, task's short name, method, attack, "reward" or "cost"."""


@cache
def paper_numbers() -> dict[Key, Published]:
    """All of them."""
    names = {TASKS[name].title: name for name in PAPER_TASKS}
    source = files("experiments.safer") / "paper_tables.csv"
    return {
        (int(row["table"]), names[row["task"]], row["method"], row["attack"], row["metric"]): (
            Published(float(row["mean"]), float(row["std"]))
        )
        for row in csv.DictReader(source.read_text().splitlines())
    }


def table_methods(table: int, task: str) -> tuple[str, ...]:
    """A table's rows for a task, its references first; none where the paper has none."""
    own = [key[2] for key in paper_numbers() if key[:2] == (table, task)]
    return tuple(dict.fromkeys([*(REFERENCES[table] if own else ()), *own]))


def paper_steps(task: str, method: str) -> int:
    """Environment steps of the paper's training; see STEPS."""
    return (ON_POLICY_STEPS if "PPOL" in method else STEPS)[task]


def published(task: str, method: str, attack: str, metric: str) -> Published | None:
    """The paper's number, whichever table it is in; the full SAFER's stands beside SAFER-paper."""
    name = "SAFER" if method == "SAFER-paper" else method
    found = (paper_numbers().get((t, task, name, attack, metric)) for t in TABLES)
    return next((number for number in found if number is not None), None)
