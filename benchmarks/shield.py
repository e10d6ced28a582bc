"""Policies behind a shield: what it costs, what withstands it, what it proves.

    python -m benchmarks.shield fit ball-circle          # the shield
    python -m benchmarks.shield table ball-circle        # reward, cost, interventions by attack
    python -m benchmarks.shield certificate ball-circle  # formal given a model
    python -m benchmarks.shield learned ball-circle shielded  # see benchmarks.shield_adversary
    python -m benchmarks.shield page                     # all of results/shield as shield.md

Shields are fitted to the packaged CVPO, which knows of no attack; seeds are in the files. A task
whose shield cannot be fitted or proved has a row that says why. `python -m benchmarks.radii` draws
attacked and certified radii.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from benchmarks.shield_adversary import Learned, learn, more_searches, world_of
from safer_gym.attacks import make_attack
from safer_gym.conformance import provenance
from safer_gym.conformance.certify import certify
from safer_gym.conformance.certify.model_tests import counted, looks
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.loading import load_policy
from safer_gym.types import Attack
from safer_gym.wrappers import Shield, ShieldedPolicy
from safer_gym.wrappers.shield.attacks import Greedy, Spoof
from safer_gym.wrappers.tasks import TASKS

FOLDER = Path(__file__).parent / "results" / "shield"
EPISODES = 25
SEED = 7_000_000
"""Of the evaluated episodes; those of the fit begin at 0."""

RECIPES: Mapping[str, Mapping[str, Any]] = {
    # |y| keeps the ball from the wall, where the model does not hold.
    "ball-circle": {
        "coordinates": [{"x": (0, 10.0), "vx": (2, 5.0)}, {"y": (1, 10.0), "vy": (3, 5.0)}],
        "h": {"x": (-6, 6), "vx": (-9, 9), "y": (-9.5, 9.5), "vy": (-9, 9)},
        "actions": [[0], [1]],
    },
    "car-circle": {
        "coordinates": {"x": (0, 10.0), "vx": (2, 1.0)},
        "h": {"x": (-6, 6), "vx": (-4, 4)},
    },
    "drone-run": {
        "coordinates": [
            {"vx": (3, 5.0), "pitch": (7, 2.0), "rate": (11, 10.0)},
            {"y": (1, 10.0), "vy": (4, 5.0), "roll": (6, 2.0), "turn": (10, 10.0)},
        ],
        "h": {
            **{"vx": (-1.3, 1.3), "pitch": (-0.5, 0.5), "rate": (-3, 3)},
            **{"y": (-2, 2), "vy": (-0.7, 0.7), "roll": (-0.5, 0.5), "turn": (-3, 3)},
        },
        "actions": [[0, 2], [1, 3]],
    },
    "ant-run": {
        "coordinates": [{"y": (1, 10.0), "vy": (4, 1 / 0.3)}, {"vx": (3, 1 / 0.3)}],
        "h": {"y": (-2, 2), "vy": (-0.5, 0.5), "vx": (-1.4, 1.4)},
        "actions": [[0, 1, 2, 3], [4, 5, 6, 7]],
    },
}
"""Coordinates, h and actions of each task, in metres, seconds and radians."""


def fit(name: str) -> None:
    """Fit the shield and prove it; write it, or why there is none."""
    task, policy, started = TASKS[name], load_policy(f"{name}/cvpo").policy, perf_counter()
    told: dict[str, Any] = {"episodes": 20, "rounds": 3, "margin": 0.4, "seed": 0}
    found: dict[str, Any] = {"task": name, "eps": task.eps, "fit": told}
    try:
        shield = Shield.fit(task.make, eps=task.eps, policy=policy, **RECIPES[name], **told)
        proofs = [proof._asdict() for proof in shield.prove()]
        found |= {"shield": shield.to_json(), "proofs": proofs}
    except ValueError as error:
        found |= {"shield": None, "why": str(error)}
    _write(f"{name}.json", {**found, "seconds": perf_counter() - started})


def table(name: str) -> None:
    """Every attack on the policy with and without its shield, and on one built for half of eps."""
    task, plain = TASKS[name], load_policy(f"{name}/cvpo").policy
    policy = ShieldedPolicy(plain, shield_of(name))
    half = ShieldedPolicy(plain, _half(shield_of(name)))
    rows: list[dict[str, Any]] = []

    def add(kind: str, who: Any, label: str, attack: Attack) -> None:
        rows.append(_row(kind, label, who, attack, task))
        _write(f"{name}-table.json", {"task": name, "eps": task.eps, "rows": rows})

    for label, attack in (*_aware(policy.shield), *_blind()):
        add("shielded", policy, label, attack)
        if label in ("null", "spoof", "mc", "mr"):
            add("plain", plain, label, attack)
    for label, attack in _aware(half.shield):
        add("built for half", half, label, attack)


def _aware(shield: Shield) -> list[tuple[str, Attack]]:
    """No attack, and those that know the shield: greedy over corners through the whole loop."""
    return [("null", make_attack("null")), ("spoof", Spoof(shield)), ("greedy", Greedy(shield))]


def _blind() -> list[tuple[str, Attack]]:
    """Those of the literature; MC and MR climb the policy's own critics through the shield."""
    names = ("uniform", "mc", "mr", "mad")
    return [(n, make_attack(n)) for n in names] + [("mc restarts", make_attack("mc", restarts=3))]


def learned(name: str, kind: str, steps: str = "20000", seed: str = "0") -> None:
    """SAC that sees the shield's state, on the policy behind its shield, or alone as a control."""
    policy = _behind(name)
    world = world_of(kind, policy.shield, policy.inner, TASKS[name], int(seed))
    model = learn(f"{name}-{kind}", world, steps=int(steps), seed=int(seed))
    attack, told = Learned(policy.shield, model), {"learned_from": int(steps), "seed": int(seed)}
    _tried(name, kind, "learned", attack, **told)


def searches(name: str, seed: str = "0") -> None:
    """Greedy search; another seed restarts it with other corners."""
    for label, attack in more_searches(_behind(name).shield):
        _tried(name, "shielded", label, attack, seed=int(seed))


def _tried(name: str, kind: str, label: str, attack: Attack, **told: int) -> None:
    """Add a row to those of `learned` and `searches`."""
    policy, path = _behind(name), FOLDER / f"{name}-learned.json"
    who = policy if kind == "shielded" else load_policy(f"{name}/cvpo").policy
    row = _row(kind, label, who, attack, TASKS[name], policy.shield, told["seed"])
    rows = json.loads(path.read_text())["rows"] if path.is_file() else []
    _write(path.name, {"task": name, "eps": TASKS[name].eps, "rows": [*rows, {**row, **told}]})


def _behind(name: str) -> ShieldedPolicy:
    return ShieldedPolicy(load_policy(f"{name}/cvpo").policy, shield_of(name))


def certificate(name: str, *attacks: str) -> None:
    """Formal given a model, at the task's own radius; spoof and greedy test it in any case."""
    task, policy = TASKS[name], load_policy(f"{name}/cvpo").policy
    found = certify(
        ShieldedPolicy(policy, shield_of(name)),
        task.make,
        requirement=f"P(cost > 0) <= 0.2 at eps = {task.eps:g} for every adversary given the model",
        battery={name: make_attack(name) for name in attacks},
        episodes=EPISODES,
        source=f"benchmarks.shield:{name.replace('-', '_')}",
    )
    found.naming(f"{name}-certificate.json").save(FOLDER / f"{name}-certificate.json")
    print(found.verdict, found.requirements[0].why)


def page() -> None:
    """Write all results as Markdown."""
    (FOLDER / "shield.md").write_text("\n".join(_lines()) + "\n")


def _lines() -> Iterator[str]:
    yield "# Behind a shield\n"
    yield "Made by `python -m benchmarks.shield page` from the files beside this one, which hold"
    yield "seeds, versions and commands. The policy inside is the packaged CVPO.\n"
    for name in RECIPES:
        path = FOLDER / f"{name}.json"
        if not path.is_file():
            continue
        data = json.loads(path.read_text())
        yield f"## {TASKS[name].title}, eps {data['eps']:g}\n"
        if data["shield"] is None:
            yield f"No shield: {data['why']}.\n"
            continue
        for part, proof in zip(data["shield"]["parts"], data["proofs"], strict=True):
            said = f"proved ({proof['cells']} cells)" if proof["holds"] else proof["reason"]
            yield f"- {', '.join(part['names'])}: {said}"
        yield ""
        for kind, lines in (("table", _table), ("learned", _searched)):
            found = FOLDER / f"{name}-{kind}.json"
            yield from lines(json.loads(found.read_text())["rows"]) if found.is_file() else ()


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "| attack | policy | episodes | reward | mean cost | largest | actions changed | alarms |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        steps = row.get("steps")
        changed = f"{row['moved'] / steps:.0%}" if steps else ""
        yield (
            f"| {row['attack']} | {row['policy']} | {EPISODES} | {row['reward']:.0f} | "
            f"{row['cost']:.2f} | {row['largest_cost']:.0f} | {changed} | {row.get('alarms', '')} |"
        )
    yield ""


def _searched(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "Adversaries that see the shield's state; see `benchmarks/shield_adversary.py`.\n"
    yield "| adversary | policy | learned from | seed | reward | mean cost | largest | smallest h |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        steps = f"{row['learned_from']:,} steps" if "learned_from" in row else ""
        yield (
            f"| {row['attack']} | {row['policy']} | {steps} | {row['seed']} | "
            f"{row['reward']:.0f} | {row['cost']:.2f} | {row['largest_cost']:.0f} | "
            f"{row['smallest_h']:.3f} |"
        )
    yield ""


def shield_of(name: str) -> Shield:
    """The shield that `fit` wrote.

    Raises:
        ValueError: there is none for this task; says why.
    """
    data = json.loads((FOLDER / f"{name}.json").read_text())
    if data["shield"] is None:
        raise ValueError(f"{name} has no shield: {data['why']}")
    return Shield.from_json(data["shield"])


def _row(
    kind: str,
    label: str,
    policy: Any,
    attack: Attack,
    task: Any,
    shield: Shield | None = None,
    offset: int = 0,
) -> dict[str, Any]:
    eps, told = 0.0 if label == "null" else task.eps, {"n_episodes": EPISODES, "traces": EPISODES}
    (found,) = evaluate(
        policy, task.make, {label: attack}, eps=eps, seed=SEED + offset * EPISODES, **told
    )
    row = {
        "policy": kind,
        "attack": label,
        "reward": found.mean_return,
        "reward_std": float(found.returns.std()),
        "cost": found.mean_cost,
        "largest_cost": float(found.costs.max()),
        "seconds": found.seconds,
    }
    if shield is not None:
        clean = torch.as_tensor(np.concatenate([trace.clean for trace in found.traces]))
        row["smallest_h"] = float(shield.h(clean.flatten(1)).min())
    if isinstance(policy, ShieldedPolicy):
        test = counted(label, eps, looks(policy, found.traces))
        names = ("n", "steps", "moved", "infeasible", "left", "alarms")
        row |= {name: getattr(test, name) for name in names}
    print(row, flush=True)
    return row


def _half(shield: Shield) -> Shield:
    """The negative control: the same shield for half of the radius."""
    parts = tuple(replace(part, reach=part.reach / 2) for part in shield.parts)
    return replace(shield, parts=parts, eps=shield.eps / 2)


def _write(name: str, data: Mapping[str, Any]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = {**data, "provenance": provenance.record()}
    (FOLDER / name).write_text(json.dumps(text, indent=1) + "\n")


def __getattr__(name: str) -> Any:
    """`benchmarks.shield:ball_circle` is a policy for every command."""
    if (FOLDER / f"{name.replace('_', '-')}.json").is_file():
        task = name.replace("_", "-")
        return ShieldedPolicy(load_policy(f"{task}/cvpo").policy, shield_of(task))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    COMMANDS: dict[str, Callable[..., None]] = {
        "fit": fit,
        "table": table,
        "certificate": certificate,
        "learned": learned,
        "searches": searches,
        "page": page,
    }
    COMMANDS[sys.argv[1]](*sys.argv[2:])
