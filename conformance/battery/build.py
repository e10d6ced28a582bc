"""From a battery's name, or attacks of the user's own, to members that can be run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from safer_gym.attacks import ATTACKS, MaxCost, WithCritics, lacking, make_attack, traits_of
from safer_gym.attacks.traits import CRITICS, GRADIENT
from safer_gym.choices import choose
from safer_gym.conformance.battery.learning import Lessons
from safer_gym.conformance.battery.members import ADVERSARIES, BROUGHT, NONE, NULL, Member
from safer_gym.conformance.certificate.record import LEFT_OUT, Refusal
from safer_gym.conformance.evaluate.fitted_critics import FITTED
from safer_gym.conformance.evaluate.learned_attacks import LEARNED as LEARNED_TRAITS
from safer_gym.types import Attack, Channel, Victim

_QUICK = ("mc", "mr", "mad", "uniform")
_STANDARD = (
    "mc", "mr", "mixture", "mc restarts", "mad", "random search", "mc fitted", "mc iterated",
    "learned", "safety adversary", "performance adversary", "own safety adversary",
    "own performance adversary", "uniform", "gaussian",
)  # fmt: skip
BATTERIES: dict[str, tuple[str, ...]] = {
    "quick": _QUICK,
    "standard": _STANDARD,
    "full": (*_STANDARD, "mr restarts", "min reward", "mc adam"),
}
"""Attacks by battery, beside no attack at all; the most promising first."""

GRADIENT_FREE = "random search"
NO_GRADIENT = "the policy gives no gradient"
NO_CRITIC = "the policy has no critic of disturbances, and none is learned"
UNABLE = (NO_GRADIENT, NO_CRITIC)
"""Why an attack of a battery cannot be run, whatever is learned."""

_OF_DISTURBANCES = ("safety adversary", "performance adversary", *BROUGHT)
_NOT_ON: dict[Channel, tuple[str, ...]] = {
    "observation": _OF_DISTURBANCES,
    "action": ("mc iterated", *_OF_DISTURBANCES),
    "disturbance": ("mc fitted", "mc iterated"),
}
"""What is learned for other channels alone."""
LEARNED = ("mc fitted", "mc iterated", *ADVERSARIES, *BROUGHT)

_ATTACKS: dict[str, Callable[[], Attack]] = {
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
    "uniform": lambda: make_attack("uniform"),
    "gaussian": lambda: make_attack("gaussian"),
}


class Battery(NamedTuple):
    """A battery ready to run."""

    name: str
    members: Mapping[str, Member]
    """By label; no attack is among them."""
    left_out: tuple[Refusal, ...]
    unlearned: tuple[str, ...] = ()
    """Labels of those left out because what they need was not learned."""


def make_battery(
    battery: str | Mapping[str, Attack],
    victim: Victim,
    lessons: Lessons,
    *,
    has_gradient: bool,
    channel: Channel = "observation",
) -> Battery:
    """The members that can be run against this victim.

    Args:
        battery: a name of BATTERIES, or attacks by label.
        victim: whom to attack, as attacks on the channel see it.
        lessons: what was learned for the battery.
        has_gradient: whether the victim's action is a differentiable function.
        channel: what is moved.

    Raises:
        ValueError: an unknown name, a label that is taken, or an attack of one's own that needs
            what the victim does not have.
        TypeError: an attack that cannot be called.
    """
    if isinstance(battery, Mapping):
        own = _own(battery, victim, has_gradient=has_gradient)
        return Battery("custom", {**NONE, **own}, ())
    name = choose("battery", battery, BATTERIES)
    members, left_out, unlearned = dict(NONE), [], []
    for label in labels_of(name, has_gradient=has_gradient, channel=channel):
        attack = lessons.attacks.get(label) if label in LEARNED else _made(label)
        missing = () if attack is None else lacking(attack, victim, has_gradient=has_gradient)
        if GRADIENT in missing:
            left_out.append(Refusal(LEFT_OUT.format(label=label), NO_GRADIENT))
        elif missing and channel == "disturbance":
            left_out.append(Refusal(LEFT_OUT.format(label=label), NO_CRITIC))
        elif label in lessons.impossible:
            left_out.append(Refusal(LEFT_OUT.format(label=label), lessons.impossible[label]))
        elif attack is None or not all(lessons.critics.get(critic) for critic in missing):
            left_out.append(Refusal(LEFT_OUT.format(label=label), lessons.why_not))
            unlearned.append(label)
        else:
            led = WithCritics(attack, **{critic: lessons.critics[critic] for critic in missing})
            members[label + FITTED * bool(missing)] = Member.of(led if missing else attack)
    return Battery(name, members, tuple(left_out), tuple(unlearned))


def labels_of(
    name: str, *, has_gradient: bool, channel: Channel = "observation"
) -> tuple[str, ...]:
    """A battery's attacks; without gradients each has the one that needs none."""
    labels = _listed(name, channel)
    if has_gradient or GRADIENT_FREE in labels:
        return labels
    return (GRADIENT_FREE, *labels)


def missing_critics(
    name: str, victim: Victim, *, has_gradient: bool, channel: Channel = "observation"
) -> tuple[str, ...]:
    """Critics that attacks of a battery would ask in vain, and that can be learned."""
    if channel == "disturbance":
        return ()
    named = (a for a in labels_of(name, has_gradient=has_gradient) if a not in LEARNED)
    lacks = [lacking(_made(label), victim, has_gradient=has_gradient) for label in named]
    return tuple(c for c in CRITICS if any(c in lack and GRADIENT not in lack for lack in lacks))


def seeks_cost(label: str) -> bool:
    """Whether an attack of a named battery does.

    Raises:
        ValueError: no such label.
    """
    if label in ADVERSARIES or label in BROUGHT:
        return LEARNED_TRAITS[(ADVERSARIES | BROUGHT)[label]].cost_directed
    if label == NULL or label in LEARNED:
        return label != NULL
    attack = _made(label.removesuffix(FITTED))
    return traits_of(attack).cost_directed


def climbs(label: str) -> bool:
    """Whether an attack of a named battery climbs gradients of the policy.

    Raises:
        ValueError: no such label.
    """
    if label == NULL or label in LEARNED:
        return label in LEARNED and label not in ADVERSARIES | BROUGHT
    attack = _made(label.removesuffix(FITTED))
    return GRADIENT in traits_of(attack).needs


def _listed(name: str, channel: Channel) -> tuple[str, ...]:
    """A battery's own attacks on a channel, and those that registered themselves for it."""
    own = BATTERIES[choose("battery", name, BATTERIES)]
    added = (label for label, entry in ATTACKS.items() if name in entry.batteries)
    return (
        *(label for label in own if label not in _NOT_ON[channel]),
        *(label for label in added if traits_of(_made(label)).channel in (None, channel)),
    )


def _made(label: str) -> Attack:
    if label in ATTACKS and label not in _ATTACKS:
        return make_attack(label)
    return _ATTACKS[choose("attack", label, (*_ATTACKS, *ATTACKS))]()


def _own(battery: Mapping[str, Attack], victim: Victim, *, has_gradient: bool) -> dict[str, Member]:
    for label, attack in battery.items():
        if label == NULL:
            raise ValueError(f"the label {NULL!r} stands for no attack; call yours something else")
        if not callable(attack):
            raise TypeError(f"battery[{label!r}] must be an attack, got {attack!r}")
        if missing := lacking(attack, victim, has_gradient=has_gradient):
            raise ValueError(
                f"battery[{label!r}] needs the policy's {' and '.join(missing)}, which it does not "
                "have; for the batteries that have a name missing critics are learned"
            )
    if not battery:
        raise ValueError("battery must hold at least one attack, got none")
    return {label: Member.of(attack) for label, attack in battery.items()}
