"""From a battery's name, or attacks of the user's own, to members that can be run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from safer_gym.attacks import (
    GaussianNoise,
    MaxCost,
    NullAttack,
    UniformNoise,
    WithCritics,
    make_attack,
)
from safer_gym.choices import choose
from safer_gym.conformance.battery.learning import Lessons
from safer_gym.conformance.battery.members import NULL, Member
from safer_gym.conformance.certificate.record import Refusal
from safer_gym.types import Attack, Victim

_QUICK = ("mc", "mr", "mad", "uniform")
_STANDARD = (
    "mc", "mr", "mixture", "mc restarts", "mad", "random search", "mc fitted",
    "mc iterated", "learned", "uniform", "gaussian",
)  # fmt: skip
BATTERIES: dict[str, tuple[str, ...]] = {
    "quick": _QUICK,
    "standard": _STANDARD,
    "full": (*_STANDARD, "mr restarts", "min reward", "mc adam"),
}
"""Attacks by battery, beside no attack at all; the most promising first."""

GRADIENT_FREE = "random search"
LEARNED = ("mc fitted", "mc iterated", "learned")
_COST = frozenset({"mc", "mixture", "mc restarts", "random search", "mc adam"})
_REWARD = frozenset({"mr", "mixture", "mr restarts", "min reward"})
_NO_GRADIENT = frozenset({"uniform", "gaussian", "random search", "learned"})


class Battery(NamedTuple):
    """A battery ready to run."""

    name: str
    members: Mapping[str, Member]
    """By label; no attack is among them."""
    left_out: tuple[Refusal, ...]


def make_battery(
    battery: str | Mapping[str, Attack], victim: Victim, lessons: Lessons, *, has_gradient: bool
) -> Battery:
    """The members that can be run against this victim.

    Args:
        battery: a name of BATTERIES, or attacks by label. Attacks of one's own are taken to
            share their random draws among the rows of a batch, as those of this library do.
        victim: whom to attack.
        lessons: what was learned for the battery.
        has_gradient: whether the victim's action is a differentiable function.

    Raises:
        ValueError: an unknown name, or a label that is taken.
        TypeError: an attack that can not be called.
    """
    null = Member(NullAttack(), own_noise=True)
    if isinstance(battery, Mapping):
        return Battery("custom", {NULL: null, **_own(battery)}, ())
    name = choose("battery", battery, BATTERIES)
    members, left_out = {NULL: null}, []
    for label in labels_of(name, has_gradient=has_gradient):
        reason = _obstacle(label, victim, lessons, has_gradient)
        if reason is None:
            members[label] = _member(label, lessons)
        else:
            left_out.append(Refusal(f"attack {label!r}", reason))
    return Battery(name, members, tuple(left_out))


def labels_of(name: str, *, has_gradient: bool) -> tuple[str, ...]:
    """A battery's attacks; without gradients each has the one that needs none."""
    labels = BATTERIES[choose("battery", name, BATTERIES)]
    if has_gradient or GRADIENT_FREE in labels:
        return labels
    return (GRADIENT_FREE, *labels)


def needs_critics(label: str, *, has_gradient: bool) -> bool:
    """Whether an attack that could be run would climb the policy's critics."""
    return label in _COST | _REWARD and (has_gradient or label in _NO_GRADIENT)


def _obstacle(label: str, victim: Victim, lessons: Lessons, has_gradient: bool) -> str | None:
    if label in LEARNED:
        return None if label in lessons.attacks else lessons.why_not
    if not has_gradient and label not in _NO_GRADIENT:
        return "the policy gives no gradient"
    if label in _COST and victim.q_cost is None and lessons.q_cost is None:
        return "there is no cost critic"
    if label in _REWARD and victim.q_reward is None and lessons.q_reward is None:
        return "there is no reward critic"
    return None


def _member(label: str, lessons: Lessons) -> Member:
    if label in lessons.attacks:
        return Member(lessons.attacks[label], gradient=label != "learned")
    if label == "uniform":
        return Member(UniformNoise(), own_noise=True)
    if label == "gaussian":
        return Member(GaussianNoise(), own_noise=True)
    attack = _ATTACKS[label]()
    # Critics learned here stand in for those that the policy lacks.
    if lessons.stand_in and (label in _COST or label in _REWARD):
        attack = WithCritics(attack, q_reward=lessons.q_reward, q_cost=lessons.q_cost)
    return Member(attack, gradient=label != GRADIENT_FREE)


_ATTACKS = {
    "mc": lambda: make_attack("mc"),
    "mr": lambda: make_attack("mr"),
    "mixture": lambda: make_attack("mixture"),
    "mc restarts": lambda: make_attack("mc", restarts=3),
    "mr restarts": lambda: make_attack("mr", restarts=3),
    "mc adam": lambda: make_attack("mc", step_rule="adam", steps=30),
    "min reward": lambda: make_attack("min_reward"),
    "mad": lambda: make_attack("mad"),
    "random search": lambda: make_attack(
        "random_search", objective=MaxCost(), rounds=8, population=10
    ),
}


def _own(battery: Mapping[str, Attack]) -> dict[str, Member]:
    members = {}
    for label, attack in battery.items():
        if label == NULL:
            raise ValueError(f"the label {NULL!r} stands for no attack; call yours something else")
        if not callable(attack):
            raise TypeError(f"battery[{label!r}] must be an attack, got {attack!r}")
        noisy = isinstance(attack, (UniformNoise, GaussianNoise, NullAttack))
        members[label] = Member(attack, own_noise=noisy)
    if not members:
        raise ValueError("battery must hold at least one attack, got none")
    return members
