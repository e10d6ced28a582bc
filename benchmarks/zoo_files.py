"""How many saved models of a folder open here as data, how many with trust, and how many elsewhere.

    python -m benchmarks.zoo_files rl-trained-agents

Meant for a checkout of the models that rl-baselines3-zoo trained. Each zip is opened with the
VecNormalize that lies beside it. What Stable-Baselines3 loads too must act alike, behind the same
statistics; for models of before gymnasium its loader needs the packages gym and shimmy, ours does
not. Trust and its loader run code of the files: for folders that are trusted.
docs/model-files.md has the result.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.loading.normaliser import found_beside
from safer_gym.conformance.loading.sb3_unpickled import unpickle_model

OBSERVATIONS = 32


class Opened(NamedTuple):
    """What became of one file; a reason stands where it was not opened."""

    path: Path
    data: str
    trust: str
    sb3: str
    same: bool | None
    """Whether it acts as Stable-Baselines3's; None where one of the two did not open."""


def opened(path: Path) -> Opened:
    """Try one file."""
    data, why = _tried(lambda: load_policy(path))
    _, distrusted = _tried(lambda: load_policy(path, trust=True))
    model, raised = _tried(lambda: unpickle_model(path))
    same = None if data is None or model is None else _alike(data.policy, model, path)
    return Opened(path, why, distrusted, raised, same)


def _tried(load: Any) -> tuple[Any, str]:
    try:
        return load(), ""
    except Exception as error:
        return None, f"{type(error).__name__}: {' '.join(str(error).split())}"


def _alike(policy: Any, model: Any, path: Path) -> bool:
    """The same actions, bit for bit, on observations of the space or of the statistics."""
    beside = found_beside(path)
    statistics = pickle.loads(beside.read_bytes()) if beside else None
    space = policy.observation_space
    space.seed(0)
    for _ in range(OBSERVATIONS):
        obs = space.sample()
        seen = obs
        if statistics is not None and statistics.norm_obs:
            seen = statistics.normalize_obs(obs)
        ours, _ = policy.predict(obs, deterministic=True)
        theirs, _ = model.predict(seen, deterministic=True)
        if not np.array_equal(ours, theirs):
            return False
    return True


def rows(folder: Path) -> Iterator[Opened]:
    """Every zip of a folder and below."""
    yield from (opened(path) for path in sorted(folder.rglob("*.zip")))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each miss, then the counts. Returns 1 where an action differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    warnings.simplefilter("ignore")
    counts: Counter[str] = Counter()
    for row in rows(folder):
        counts["files"] += 1
        counts["behind a VecNormalize"] += found_beside(row.path) is not None
        for column in ("data", "trust", "sb3"):
            reason = getattr(row, column)
            counts[column] += not reason
            if reason:
                print(f"{row.path.relative_to(folder)}, {column}: {reason}", flush=True)
        counts["compared"] += row.same is not None
        counts["alike"] += bool(row.same)
        if row.same is False:
            print(f"{row.path.relative_to(folder)}: other actions than Stable-Baselines3's")
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return int(counts["alike"] < counts["compared"])


if __name__ == "__main__":
    sys.exit(main())
