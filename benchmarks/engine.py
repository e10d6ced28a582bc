"""What a certificate costs beside the simulation: enclosures, and the gate's own work.

Certificates are of episodes of five steps without physics, under noise: what is left is the
engine. No requirement stops them early.
"""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.short_episodes import certify_short
from benchmarks.timing import interleave, lap_of
from safer_gym.balls import LpBall
from safer_gym.bounds import enclose_policy
from safer_gym.conformance.cli.models import find_model, load_model
from safer_gym.wrappers.policies.layers import policy_layers

Case = tuple[int, int, int]
"""Episodes, radii, attacks."""
CASES: tuple[Case, ...] = ((100, 1, 1), (400, 1, 1), (100, 4, 1), (100, 1, 4))


def measure(
    *,
    policy: str = "ball-circle/safer-attacked",
    eps: float = 0.05,
    batches: tuple[int, ...] = (1, 64, 1024),
    cases: tuple[Case, ...] = CASES,
    repetitions: int = 3,
) -> dict[str, Any]:
    """Enclose states of `policy`, and certify an untrained one."""
    layers = policy_layers(load_model(find_model(policy)))
    ball = LpBall.of("linf", eps)
    states = {n: torch.randn(n, 8, generator=torch.Generator().manual_seed(0)) for n in batches}
    enclosures = interleave(
        {
            n: lap_of(lambda obs=obs: enclose_policy(layers, obs, ball))  # type: ignore[misc]
            for n, obs in states.items()
        },  # type: ignore[arg-type]
        repetitions,
    )
    certificates = interleave(
        {
            case: lap_of(lambda case=case: certify_short(case[0], radii=case[1], attacks=case[2]))  # type: ignore[misc]
            for case in cases
        },  # type: ignore[arg-type]
        repetitions,
    )
    rows = [_row(f"enclosure, batch {n}", "states", n, enclosures[n].cpu) for n in batches]
    rows += [
        _row(_label(*case), "episodes", _episodes(*case), certificates[case].cpu) for case in cases
    ]
    return {"benchmark": "engine", "setting": {"policy": policy, "eps": eps}, "rows": rows}


def _episodes(episodes: int, radii: int, attacks: int) -> int:
    """Those without an attack serve all radii."""
    return episodes * (1 + radii * attacks)


def _label(episodes: int, radii: int, attacks: int) -> str:
    return f"{episodes} episodes x {radii} radii x {attacks} attacks"


def _row(work: str, unit: str, count: int, seconds: float) -> dict[str, Any]:
    return {"work": work, "CPU s": seconds, "of": unit, "each CPU s": count / seconds}
