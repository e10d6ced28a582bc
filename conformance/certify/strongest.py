"""The strongest of a battery's attacks against one policy: screened, then measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym

from safer_gym.attacks import has_gradient
from safer_gym.conformance.battery.build import make_battery
from safer_gym.conformance.battery.learning import TrainingContext
from safer_gym.conformance.battery.members import NULL
from safer_gym.conformance.certify.train_battery import learn
from safer_gym.conformance.evaluate.evaluation import admitted, evaluate
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.evaluate.seat import seat_and_ball
from safer_gym.conformance.evaluate.store import Store
from safer_gym.progress import Told, told
from safer_gym.types import Attack
from safer_gym.wrappers.packed import in_numbers
from safer_gym.wrappers.policies.view import PolicyView

MakeEnv = Callable[[], gym.Env]

SCREENING = 10
"""Episodes in which every attack is tried."""
FINALISTS = 3
"""Attacks that go on to the full number of episodes."""
APART = 2_000_000
"""Distance between the seeds of the screening and of the measured episodes."""


class Strongest(NamedTuple):
    """What the battery found."""

    outcome: Outcomes
    """Of the finalist with the highest mean cost, on the measured episodes."""
    screened: dict[str, float]
    """Mean cost of each attack in the screening."""


def strongest_attack(
    policy: Any,
    make_env: MakeEnv,
    *,
    eps: float,
    battery: str = "standard",
    n_episodes: int = 50,
    seed: int = 0,
    store: Store | None = None,
    progress: Told | bool | None = None,
    vec_normalize: Any = None,
) -> Strongest:
    """Meet a policy with a battery of `safer-gym certify` and keep what costs most.

    The battery learns first: critics of the policy and of the policy under attack, and an
    adversary. Every attack is tried on a few episodes of its own; those that cost most there are
    measured on episodes seed, seed + 1, ...: the highest of a few means, so rather too high than
    too low.

    Args:
        battery: a name of `BATTERIES`.
        store: where what is learned is kept, under a key that names the policy.
        progress: True shows a bar; a function is called with what is being done and the share done.
        vec_normalize: as `evaluate`.

    Raises:
        ValueError: an unknown battery, or a policy that no member can be run against.
    """
    with told(progress) as telling:
        say = telling or (lambda what, share: None)
        say("learning attacks", 0.0)
        policy = admitted(policy, make_env, vec_normalize, seed)
        attacks = _attacks(policy, make_env, eps, battery, seed, store or Store(None, {}))
        common: dict[str, Any] = {"eps": eps, "progress": say}
        tried = evaluate(
            policy, make_env, attacks, n_episodes=SCREENING, seed=seed + APART, **common
        )
        tried.sort(key=lambda outcome: -outcome.mean_cost)
        finalists = {o.attack: attacks[o.attack] for o in tried[:FINALISTS]}
        measured = evaluate(policy, make_env, finalists, n_episodes=n_episodes, seed=seed, **common)
    screened = {o.attack: o.mean_cost for o in tried}
    return Strongest(max(measured, key=lambda outcome: outcome.mean_cost), screened)


def _attacks(
    policy: PolicyView, make_env: MakeEnv, eps: float, battery: str, seed: int, store: Store
) -> dict[str, Attack]:
    seat, ball = seat_and_ball(make_env, policy, "observation", "linf", eps)
    policy, make_env = in_numbers(policy, make_env)
    victim = policy.victim()
    climbs = has_gradient(victim, policy.example_row)
    context = TrainingContext(victim, make_env, ball, ball, "linf", seed, store, climbs, seat=seat)
    lessons = learn(battery, context, budget=math.inf, workers=1)
    members = make_battery(battery, victim, lessons, has_gradient=climbs).members
    return {label: member.attack for label, member in members.items() if label != NULL}
