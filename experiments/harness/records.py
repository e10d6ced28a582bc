"""Records of finished runs: JSON files, one for each task, method and seed, and their curves."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NEEDED = {"task", "algorithm", "seed", "evaluation"}
EVALUATIONS = {"best": "evaluation", "last": "evaluation_last"}
STRONGEST = "strongest"
"""The battery's attack with the highest mean cost, where a battery ran."""


class Record(NamedTuple):
    """One finished run, as its file has it."""

    path: Path
    data: dict[str, Any]

    @property
    def task(self) -> str:
        """Short name."""
        return str(self.data["task"])

    @property
    def method(self) -> str:
        """Name of the paper's tables; the algorithm's where a record has none."""
        return str(self.data.get("method") or self.data["algorithm"])

    @property
    def names(self) -> set[str]:
        """Every name that the same training has."""
        return {self.method, *self.data.get("stands_for", ())}

    @property
    def seed(self) -> int:
        """Of the training."""
        return int(self.data["seed"])

    def episodes(self, attack: str, policy: str = "best") -> dict[str, Any] | None:
        """What an attack did to the "best" or to the "last" policy; None: it was not run."""
        found: dict[str, Any] | None = self.data.get(EVALUATIONS[policy], {}).get(attack)
        return found

    def values(self, attack: str, metric: str, policy: str = "best") -> NDArray[np.float64] | None:
        """ "reward" or "cost" of each episode [n]; "average" is over natural, MC and MR."""
        if attack == "average":
            parts = [self.values(name, metric, policy) for name in ("natural", "mc", "mr")]
            known = [part for part in parts if part is not None]
            return None if len(known) < len(parts) else np.mean(known, axis=0)
        found = self.episodes(attack, policy)
        key = {"reward": "returns", "cost": "costs"}[metric]
        return None if found is None else np.asarray(found[key], np.float64)

    def curve(self) -> list[dict[str, float]]:
        """Rows of the learning curve; empty where there is none."""
        path = self.path.with_suffix(".csv")
        return _rows(path, path.stat().st_mtime_ns) if path.exists() else []

    def total(self, column: str) -> float | None:
        """The last value of a column of the curve, such as "seconds" or "total_cost"."""
        value = next((row.get(column) for row in reversed(self.curve())), None)
        return None if value is None or np.isnan(value) else value


@lru_cache
def _rows(path: Path, written: int) -> list[dict[str, float]]:
    """A curve's rows, read once as long as the file stays as it was written."""
    with path.open(newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def file_name(task: str, method: str, seed: int) -> str:
    """The stem of a record's files.

    >>> file_name("ball-circle", "SAFER(xi_tilde=0.03)", 1)
    'ball-circle-safer-xi-tilde-0.03-1'
    """
    return f"{task}-{re.sub('[^a-z0-9.]+', '-', method.lower()).strip('-')}-{seed}"


def read_records(folder: Path) -> list[Record]:
    """The records in a folder, by task, method and seed; other JSON files are passed over.

    Raises:
        ValueError: two records of the same task, method and seed.
    """
    found: dict[tuple[str, str, int], Record] = {}
    for path in sorted(folder.glob("*-[0-9]*.json")):
        data = json.loads(path.read_text())
        if not (isinstance(data, dict) and set(data) >= NEEDED):
            continue
        record = Record(path, data)
        key = (record.task, record.method, record.seed)
        if key in found:
            raise ValueError(f"{found[key].path} and {path} both hold the run {key}; keep one")
        found[key] = record
    return [found[key] for key in sorted(found)]


def seeds_of(records: Iterable[Record]) -> str:
    """Their seeds, in words."""
    return ", ".join(str(record.seed) for record in records)


def select(records: Iterable[Record], task: str, method: str) -> list[Record]:
    """The runs of a method on a task, under any of its names, by seed."""
    return sorted(
        (r for r in records if r.task == task and method in r.names), key=lambda r: r.seed
    )
