"""Small true certificates of every kind, and every way to change one of their leaves."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import gymnasium as gym
from certify_toys import Line, Push, homing, homing_network, hushed

from safer_gym.attacks import make_attack
from safer_gym.conformance.certificate import Certificate
from safer_gym.conformance.certificate.seal import content_hash
from safer_gym.conformance.certify import certify
from safer_gym.conformance.certify.verify import verify

Path = tuple[str | int, ...]
ASSERTED = (
    "battery",
    "command",
    "created",
    "environment.digest",
    "environment.horizon",
    "environment.id",
    "environment.max_step_cost",
    "episodes.benign",
    "episodes.measure",
    "episodes_of_note[].trace.attacked[][]",
    "episodes_of_note[].trace.calm_costs[]",
    "episodes_of_note[].trace.calm_positions[][]",
    "episodes_of_note[].trace.clean[][]",
    "episodes_of_note[].trace.positions[][]",
    "flags[].level",
    "flags[].message",
    "flags[].name",
    "limit",
    "norm",
    "policy.action_noise[]",
    "policy.digest",
    "policy.kind",
    "policy.normaliser",
    "policy.source",
    "refusals[].reason",
    "rows[].attacks[].cost_directed",
    "rows[].attacks[].lengths[]",
    "rows[].attacks[].search_max_cost",
    "rows[].attacks[].search_mean_cost",
    "rows[].mean.upper_every.promises.*",
    "rows[].mean.upper_every.spent[]",
    "rows[].rate.upper_every.promises.*",
    "rows[].rate.upper_every.spent[]",
    "benign.lengths[]",
    "scale[]",
    "seconds",
    "seed",
    "units",
    "versions.*",
)
"""Leaves that follow from nothing else, and so rest on the hash: see docs/certificates.md."""
BATTERY = {"push": Push(), "mad": make_attack("mad", steps=2)}
EVERY = "P(cost > 2) <= 0.8 at eps = 0.02 for every adversary"
ATTACKS = "P(cost > 2) <= 0.2 at eps = 2 under attacks"


class Unlimited(Line):
    """Nobody knows its largest cost."""

    spec = gym.envs.registration.EnvSpec("Unlimited-v0")
    max_step_cost = None


def _made(policy: Any, env: Any, *requirements: str, **options: Any) -> dict[str, Any]:
    settings = {"battery": BATTERY, "episodes": 6, "benign_episodes": 12, **options}
    found = certify(policy, env, requirement=requirements, **settings)
    return json.loads(json.dumps(found.naming("a b.json", "--model", "x.zip").to_json()))


@cache
def true_certificates() -> dict[str, dict[str, Any]]:
    """By name, as JSON: both modes, every verdict, compositions, batteries and refusals."""
    blind = "mean cost <= 3 at eps = 0.1 under attacks by the stochastic policy"
    return {
        "both modes, fails": _made(
            homing(), Line, EVERY, ATTACKS, eps=(0.02, 2.0), battery={"push": Push()},
            source="x.zip",
        ),
        "passes": _made(homing(), Line, EVERY, eps=(0.0, 0.02), battery={"push": Push()}),
        "additive, passes": _made(
            hushed(), Line, EVERY.replace("0.02", "0.005"), benign_episodes=50, episodes=25
        ),
        "no stochastic mode": _made(lambda obs: -0.5 * obs, Unlimited, blind, seed=7,
            battery={"push": Push()},
        ),
        "noise": _made(
            homing_network(), Line, EVERY, action_noise=0.2, scale=(2.0,), norm="l2",
            battery="quick",
        ),
    }  # fmt: skip


def leaves(data: Any, path: Path = ()) -> Iterator[Path]:
    """Paths of all leaves; an empty list or object is one."""
    if isinstance(data, (dict, list)) and data:
        items = data.items() if isinstance(data, dict) else enumerate(data)
        for key, item in items:
            yield from leaves(item, (*path, key))
    else:
        yield path


def at(data: Any, path: Path) -> Any:
    """What lies at a path."""
    for key in path:
        data = data[key]
    return data


def with_leaf(data: Any, *changes: tuple[Path, Any]) -> dict[str, Any]:
    """A copy with other leaves."""
    found = copy.deepcopy(data)
    for path, value in changes:
        at(found, path[:-1])[path[-1]] = value
    return found


def resealed(data: dict[str, Any]) -> dict[str, Any]:
    """With the hash that a forger would compute."""
    return {**data, "content_hash": content_hash(data)}


def another(value: Any, path: Path) -> Any:
    """Another value of the same type, where the type has one; of None and the empty, a number."""
    others = {
        "mode": ("deterministic", "stochastic"),
        "metric": ("rate", "mean"),
        "scope": ("attacks", "every"),
        "verdict": ("PASS", "FAIL", "INCONCLUSIVE"),
        "level": ("note", "warning", "error"),
        "norm": ("linf", "l2", "l1"),
        "battery": ("custom", "quick", "standard"),
        "schema": ("safer-gym/certificate/2", "safer-gym/certificate/1"),
    }
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return round(1.37 * value + 0.01, 6)
    if isinstance(value, str):
        return next((o for o in others.get(str(path[-1]), ()) if o != value), f"{value}x")
    return 0.5


def passes(data: dict[str, Any]) -> bool:
    """Whether `verify` finds nothing wrong; what is no certificate does not pass."""
    try:
        return verify(Certificate.from_json(data)) == ()
    except ValueError:
        return False


def is_whole(data: dict[str, Any]) -> bool:
    """Whether it is a certificate with the hash of what it holds."""
    try:
        return not Certificate.from_json(data).why_broken
    except ValueError:
        return False


def named(path: Path) -> str:
    """A leaf's name: rows[].attacks[].costs[]."""
    return re.sub(r"\.\[\]", "[]", ".".join("[]" if isinstance(k, int) else k for k in path))


def is_asserted(path: Path) -> bool:
    """Whether a leaf rests on the hash alone."""
    words = named(path).split(".")
    if words[0] == "versions" or words[-2:-1] == ["promises"]:
        words[-1] = "*"
    return ".".join(words) in ASSERTED
