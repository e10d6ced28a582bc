"""Put a trained policy into the package, with the record of how it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.files import write_json

ZOO = Path(__file__).resolve().parents[2] / "safer_gym" / "zoo"


def put(
    name: str,
    save: Callable[[Path], object],
    record: Mapping[str, Any],
    zoo: Path = ZOO,
    suffix: str = ".zip",
) -> Path:
    """Write a policy and its record, and return the policy's file.

    Args:
        name: "task/algorithm".
        save: writes the policy to a path that ends in `suffix`.
        zoo: the folder of the packaged policies.
        suffix: .zip of a policy, .pt of a skill prior.
    """
    target = zoo / f"{name}{suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    save(target)
    write_json(target.with_suffix(".json"), record)
    return target


def numbers_of(outcome: Outcomes, seed: int) -> dict[str, Any]:
    """What a record keeps of episodes under an attack.

    Args:
        seed: of the first episode.
    """
    return {
        "eps": outcome.eps,
        "episodes": len(outcome.costs),
        "seed": seed,
        "reward": round(outcome.mean_return, 2),
        "reward_std": round(float(outcome.returns.std()), 2),
        "cost": round(outcome.mean_cost, 2),
        "cost_std": round(float(outcome.costs.std()), 2),
    }
